/**
 * @module Every method through `espalier train`: what it saves opens again and answers.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../../adapters/mod.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { readAdapter } from "../../../src/presets/read-adapter.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-train-methods-"))
const base = join(folder, "base")
const data = join(folder, "data.jsonl")
beforeAll(() => {
  writeTinyBase(base, 1)
  const row = (i: number) =>
    JSON.stringify({ prompt: `Who is it ${i}?`, completion: i % 2 === 0 ? "A cat." : "A dog." })
  writeFileSync(data, Array.from({ length: 8 }, (_, i) => `${row(i)}\n`).join(""))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The last record that a command wrote with --json. */
async function run(...args: string[]): Promise<Record<string, unknown>> {
  const { code, err, records } = await runCli(...args, "--json")
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" })
  return records.at(-1)!
}

describe("espalier train", () => {
  for (const { name, peft } of methods)
    test(`by ${name}`, async () => {
      const out = join(folder, name)
      const settings =
        name.includes("prompt") || name.includes("p_tuning") || name.includes("prefix")
          ? ["--set", "virtualTokens=2"]
          : []
      const result = await run(
        "train",
        "--base",
        base,
        "--data",
        data,
        "--method",
        name,
        ...settings,
        "--steps",
        "2",
        "--backend",
        "native",
        "--threads",
        "1",
        "--out",
        out,
      )
      expect(result).toMatchObject({ type: "result", status: "completed", step: 2, out })
      if (peft === null) {
        const { base: trained } = await openBase(out, { cacheFolder: null })
        const { base: before } = await openBase(base, { cacheFolder: null })
        expect([...trained.layout.keys()]).toEqual([...before.layout.keys()])
        expect(trained.hash).not.toBe(before.hash)
      } else {
        const adapter = await readAdapter(await openBase(base, { cacheFolder: null }), out)
        expect(adapter.method).toBe(name)
        expect(adapter.forms.length).toBeGreaterThan(0)
      }
    }, 30_000)
})
