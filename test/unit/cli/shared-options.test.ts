import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { namedAdapter, trainedAdapter } from "../../../src/cli/shared-options.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-options-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test("namedAdapter() takes a name before = and else the folder's own", () => {
  expect(namedAdapter("support=adapters-out/a")).toEqual({ name: "support", path: "adapters-out/a" })
  expect(namedAdapter("adapters-out/a/")).toEqual({ name: "a", path: "adapters-out/a/" })
})

test("trainedAdapter() finds a trained adapter by its name, and leaves paths alone", () => {
  mkdirSync(join(root, "cards"))
  expect(trainedAdapter("cards", root)).toEqual({ name: "cards", path: join(root, "cards") })
  expect(trainedAdapter("mine=cards", root)).toEqual({ name: "mine", path: join(root, "cards") })
  for (const path of ["./cards", "elsewhere/cards", "no-such-adapter"])
    expect(trainedAdapter(path, root).path).toBe(path)
  // A folder that stands where it was said goes before one of that name elsewhere.
  mkdirSync(join(root, "src"))
  expect(trainedAdapter("src", root).path).toBe("src")
})
