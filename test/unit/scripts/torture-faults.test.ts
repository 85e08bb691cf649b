import { expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { faults } from "../../../scripts/torture/faults.ts"

const tests = join(import.meta.dir, "..", "..")

test("every fault has its test, with the count of each commit, and every test of test/faults is listed", () => {
  for (const { test, times } of faults) {
    const path = join(tests, `${test}.test.ts`)
    expect([path, existsSync(path)]).toEqual([path, true])
    const said = /times\(([\d_]+)\)/.exec(readFileSync(path, "utf8"))?.[1]
    expect([test, said && Number(said.replaceAll("_", ""))]).toEqual([test, times?.[0]])
  }
  const listed = new Set(faults.map(({ test }) => test))
  const others = readdirSync(join(tests, "faults")).map((name) => `faults/${name.replace(".test.ts", "")}`)
  // A part of its own sends it a thousand clients.
  expect(others.filter((name) => !listed.has(name))).toEqual(["faults/crowd"])
})
