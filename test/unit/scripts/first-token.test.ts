import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { firstTokenBench } from "../../../scripts/bench/first-token.ts"
import type { Summary } from "../../../scripts/bench/stats.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-first-token-"))
const base = join(root, "twig")
beforeAll(() => writeTinyBase(base, 1))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What the benchmark writes. */
async function run(values: Record<string, unknown>): Promise<string> {
  let out = ""
  const write = (text: string): void => {
    out += text
  }
  const io = { out: write, err: write, isTerminal: false, columns: () => 80, env: {} }
  const given: Record<string, unknown> = { base, backend: ["native"], threads: 1, runs: 2, ...values }
  expect(await firstTokenBench.run(given as Parameters<typeof firstTokenBench.run>[0], [], io)).toBe(0)
  return out
}

interface Report {
  runs: number
  figures: { backend: string; ms: Record<string, Summary>; cpuMs: Record<string, Summary> }[]
}

test("bench first-token tells the parts of a load apart, and what they sum up to", async () => {
  const { runs, figures } = JSON.parse(await run({ json: true, cold: true })) as Report
  expect(runs).toBe(2)
  expect(figures).toHaveLength(1)
  const { backend, ms, cpuMs } = figures[0]!
  expect(backend).toStartWith("native")
  expect(Object.keys(ms)).toEqual(["runtime", "modules", "engine", "base", "decoder", "token", "load", "all"])
  expect(ms["load"]!.count).toBe(2)
  // Of each run the parts make up the whole; so do the means of two, which is what their medians are.
  const medians = (names: string[], of: typeof ms): number => names.reduce((sum, name) => sum + of[name]!.median, 0)
  for (const of of [ms, cpuMs]) {
    expect(medians(["base", "decoder", "token"], of)).toBeCloseTo(of["load"]!.median, 6)
    expect(medians(["runtime", "modules", "engine", "load"], of)).toBeCloseTo(of["all"]!.median, 6)
  }
}, 120_000)

test("bench first-token shows them to people", async () => {
  const text = await run({})
  expect(text).toMatch(/Medians of 2 processes; /)
  expect(text).toMatch(/^native \(onnxruntime-node .*1 thread\)$/m)
  expect(text).toMatch(/^ {2}base to first token +\d+ ms {2}\(\d+ ms\) {2}\d+ to \d+$/m)
}, 120_000)

test("bench first-token says why a run failed", async () => {
  await expect(run({ base: join(root, "none") })).rejects.toThrow(/A run on native failed: .*none/s)
}, 120_000)
