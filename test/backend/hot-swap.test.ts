/**
 * @module The torture's two trials at the size of a commit, and that its judge would see a wrong answer.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fingerprint, Judge, promptsOf } from "../../scripts/torture/fingerprints.ts"
import { hotSwap } from "../../scripts/torture/hot-swap.ts"
import { invariance } from "../../scripts/torture/invariance.ts"
import { swaps } from "../../scripts/torture/swaps.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-hot-swap-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const opened = async () => {
  writeTinyBase(folder, 1)
  const { base, tokenizer } = await openBase(folder, { cacheFolder: null })
  const { runtime } = await openRuntime("native", { threads: 1 })
  return { base, runtime, tokenizer: tokenizer! }
}

test("300 requests over 60 swaps: each answer is that of the version it names", async () => {
  const { runtime, ...rest } = await opened()
  const found = await hotSwap({ ...rest, runtime, requests: 300, swaps: 60, clients: 12, seed: 1 })
  expect(found).toMatchObject({ wrong: 0, swaps: 60, answered: 300 - found.notFound })
  expect(found.reloads).toBeGreaterThan(20)
  expect(found.cached).toBeGreaterThan(300)
  expect(found.equal).toBeGreaterThan(250)
  await runtime.dispose()
}, 120_000)

test("60 prompts in mixed batches are answered as alone", async () => {
  const { base, runtime } = await opened()
  const found = await invariance({ base, runtime, prompts: 60, seed: 2 })
  expect(found).toMatchObject({ prompts: 60, wrong: 0 })
  await runtime.dispose()
}, 120_000)

test("no swap builds a session: requests on other adapters, names that mean others, adapters from disk", async () => {
  writeTinyBase(folder, 1)
  const open = await openBase(folder, { cacheFolder: null })
  const { runtime } = await openRuntime("native", { threads: 1 })
  const found = await swaps({ open, path: folder, runtime, swaps: 40, streams: 6, resident: 8, seed: 1 })
  expect(found.sessions).toBe(0)
  expect(found.swaps).toBeGreaterThanOrEqual(40)
  expect([found.named.count, found.fromDisk.count, found.fromDiskHeld.count]).toEqual([40, 40, 40])
  // Requests that are answered by their first token never see a step.
  expect(found.added.count).toBeGreaterThan(20)
  await runtime.dispose()
}, 120_000)

test("the judge knows an answer of another adapter, or of another prompt, for what it is", async () => {
  const { base, runtime } = await opened()
  const decoder = await graphDecoder({ runtime, base })
  const judge = new Judge(decoder)
  const [one, other] = [await decoder.bind(fingerprint(base, 1)), await decoder.bind(fingerprint(base, 2))]
  const [prompt, another] = promptsOf(base, 2, 3) as [number[], number[]]
  const answer = await judge.golden("one", one, prompt, 10)
  expect(await judge.verdict("one", one, prompt, answer)).toBe("equal")
  expect(await judge.verdict("other", other, prompt, answer)).toBe("wrong")
  expect(await judge.verdict("another", one, another, answer)).toBe("wrong")
  expect(await judge.verdict("none", null, prompt, answer)).toBe("wrong")
  await decoder.dispose()
  await runtime.dispose()
})
