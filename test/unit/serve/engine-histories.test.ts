/**
 * @module An engine with more adapters than memory holds against random histories: answers, embeddings and merges, streams that are left, loads,
 * replacements, rollbacks and removals over folders that change, and an end at any moment. Each answer is that of the version it names.
 */
import { expect, test } from "bun:test"
import { EspalierError, isEspalierError } from "../../../src/core/errors.ts"
import { rng } from "../../../src/core/rng.ts"
import type { LoadedAdapter } from "../../../src/forms/form.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine } from "../../support/fake-engine.ts"

/** More of them by hand: `SEEDS=2000 bun test test/unit/serve/engine-histories.test.ts`. */
const SEEDS = Number(process.env["SEEDS"] ?? 60)
const STEPS = 60
const TOKENS = 6
const NAMES = ["a", "b", "c", "d"]
const VERSIONS = ["1", "2", "3"]
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** What each version says alone, by its hash. */
async function goldenTexts(): Promise<ReadonlyMap<string, string>> {
  const { engine } = createFakeEngine()
  const texts = new Map<string, string>()
  for (const name of NAMES)
    for (const version of VERSIONS) {
      const adapter = fakeAdapter(name + version)
      await engine.load("x", { adapter }, { replace: true })
      const { events } = await engine.generate({
        ...{ prompts: [{ text: "hello" }], adapter: "x", maxTokens: TOKENS, sampling: { temperature: 0 } },
      })
      texts.set(adapter.hash, (await collect(events))[0]!.text)
    }
  await engine.close()
  return texts
}

async function history(seed: number, golden: ReadonlyMap<string, string>): Promise<string[]> {
  const random = rng(seed, "engine")
  const folders = new Map(NAMES.map((name) => [name, `${name}1`]))
  const faults: string[] = []
  const readAdapter = async (path: string): Promise<LoadedAdapter> => {
    for (let i = random.below(6); i > 0; i--) await turn()
    const content = folders.get(path)
    if (content === undefined) throw new EspalierError("not_found", `There is no ${path}`)
    return fakeAdapter(content)
  }
  const { engine, decoder } = createFakeEngine({
    ...{ maxAdapters: 1 + random.below(3), readAdapter, scheduler: { maxActive: 3, maxWaiting: 20 } },
  })
  const jobs: Promise<void>[] = []
  const run = (job: () => Promise<unknown>): void => {
    const ended = job().then(
      () => {},
      (error) => {
        if (!isEspalierError(error) || error.code === "internal") faults.push(String(error))
      },
    )
    jobs.push(ended)
  }
  const answer = async (adapter: string, left: boolean): Promise<void> => {
    const controller = new AbortController()
    const { signal } = controller
    if (left)
      void (async () => {
        for (let i = random.below(12); i > 0; i--) await turn()
        controller.abort()
      })()
    const choices = 1 + random.below(2)
    const { adapter: from, events } = await engine.generate(
      { prompts: [{ text: "hello" }], adapter, choices, maxTokens: TOKENS, sampling: { temperature: 0 } },
      { signal },
    )
    const wanted = golden.get(from!.hash)
    for (const { text } of await collect(events))
      if (wanted !== undefined && text !== wanted) faults.push(`${adapter} said ${text} where it says ${wanted}`)
  }
  const step = (): void => {
    const name = random.pick(NAMES)
    const kind = random.below(20)
    if (kind < 8) run(() => answer(name, random.below(3) === 0))
    else if (kind < 10) run(() => engine.embed({ inputs: [{ text: "x" }, { text: "y" }], adapter: name }))
    else if (kind < 11) run(() => answer(`${name}*0.5+${random.pick(NAMES)}*0.5`, false))
    else if (kind < 15) {
      if (random.below(2) === 0) folders.set(name, name + random.pick(VERSIONS))
      run(() => engine.load(name, { path: name }, { replace: random.below(4) > 0 }))
    } else if (kind < 17) run(() => engine.rollback(name))
    else if (kind < 18) run(() => engine.unload(name))
    else if (kind < 19) folders.delete(name)
    else run(() => engine.list())
  }
  for (const name of NAMES) run(() => engine.load(name, { path: name }))
  for (let i = 0; i < STEPS; i++) {
    step()
    for (let wait = random.below(4); wait > 0; wait--) await turn()
  }
  if (seed % 2 === 0) {
    await Promise.all(jobs)
    const { active, waiting } = await engine.stats()
    if (active + waiting > 0) faults.push(`${active} and ${waiting} are left`)
  }
  await engine.close()
  await Promise.all(jobs)
  await turn()
  const { adapters, sequences } = decoder.books
  if (adapters + sequences > 0) faults.push(`${adapters} adapters and ${sequences} sequences are left`)
  return faults
}

test(`answers as it should in ${SEEDS} random histories`, async () => {
  const golden = await goldenTexts()
  const found: string[] = []
  for (let seed = 1; seed <= SEEDS; seed++)
    for (const fault of new Set(await history(seed, golden))) found.push(`seed ${seed}: ${fault}`)
  expect(found).toEqual([])
}, 600_000)
