/**
 * @module Adapters swapped under load: names come to mean other adapters, go and come back, and give way to each other in memory, while
 * clients ask. Every answer must be that of the version that it says it is from.
 */
import { rng } from "../../src/core/rng.ts"
import type { Base } from "../../src/models/base.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import type { BoundAdapter } from "../../src/serve/decoder.ts"
import { createEngine } from "../../src/serve/engine.ts"
import type { AdapterSource } from "../../src/serve/engine-api.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import type { Tokenizer } from "../../src/text/tokenizer-contract.ts"
import { fingerprint, Judge, promptsOf } from "./fingerprints.ts"

/** How much of it. */
export interface HotSwapOptions {
  readonly base: Base
  readonly runtime: Runtime
  readonly tokenizer: Tokenizer
  readonly requests: number
  readonly swaps: number
  readonly clients: number
  readonly seed: number
}

/** What came of it. */
export interface HotSwapFigures {
  readonly answered: number
  readonly equal: number
  /** Left the golden answer where rounding decides between two tokens. */
  readonly ties: number
  readonly wrong: number
  readonly swaps: number
  /** Asked for while the name meant nothing. */
  readonly notFound: number
  /** Versions that had given way in memory and were read again for a request. */
  readonly reloads: number
  /** Prompt tokens that were found computed. */
  readonly cached: number
}

const NAMES = 6
/** Of them in memory at once; and those that now and then stand for what lies nowhere else, which stays. */
const [RESIDENT, STAYING] = [4, 2]
const ADAPTERS = 24
const PROMPTS = 12
const OUTPUT = 10

/** Runs it. */
export async function hotSwap(options: HotSwapOptions): Promise<HotSwapFigures> {
  const { base, runtime, tokenizer, requests, swaps, clients, seed } = options
  const random = rng(seed, "hot-swap")
  const adapters = Array.from({ length: ADAPTERS }, (_, i) => fingerprint(base, seed * 1000 + i))
  let reads = 0
  const engine = createEngine({
    base: base.name,
    baseHash: base.hash,
    backend: runtime.name,
    // Room for some prompts only, so that what was kept is driven out all the time.
    decoder: await graphDecoder({ runtime, base, prefixCacheBytes: 1 << 20 }),
    tokenizer,
    scheduler: { maxActive: 8, maxWaiting: 4 * clients },
    maxAdapters: RESIDENT,
    async readAdapter(path) {
      reads++
      // What was read is the engine's, which gives its memory back.
      return structuredClone(adapters[Number(path)]!)
    },
  })
  let folders = 0
  const source = (name: string): AdapterSource => {
    const which = random.below(ADAPTERS)
    if (names.indexOf(name) < STAYING && random.below(2) === 0) return { adapter: adapters[which]! }
    folders++
    return { path: `${which}` }
  }
  const prompts = promptsOf(base, PROMPTS, seed)
  const names = Array.from({ length: NAMES }, (_, i) => `name-${i}`)
  for (const name of names) await engine.load(name, source(name))

  const answers: { hash: string | null; prompt: number; tokens: number[] }[] = []
  let [asked, swapped, notFound, cached] = [0, 0, 0, 0]
  const client = async (): Promise<void> => {
    while (asked < requests) {
      asked++
      const prompt = random.below(PROMPTS)
      const adapter = random.below(NAMES + 1) === 0 ? null : random.pick(names)
      try {
        const generation = await engine.generate({
          prompts: [{ ids: prompts[prompt]! }],
          adapter,
          maxTokens: OUTPUT,
          ignoreEos: true,
          sampling: { temperature: 0 },
        })
        const tokens: number[] = []
        for await (const event of generation.events) {
          if (event.type === "text-delta") tokens.push(...event.tokens.map(({ id }) => id))
          if (event.type === "finish") cached += event.usage.cachedTokens
        }
        answers.push({ hash: generation.adapter?.hash ?? null, prompt, tokens })
      } catch (error) {
        if ((error as { code?: string }).code !== "not_found") throw error
        notFound++
      }
    }
  }
  const swapper = async (): Promise<void> => {
    while (swapped < swaps) {
      const name = random.pick(names)
      // Mostly another adapter under the same name; now and then the name goes and comes back.
      if (random.below(5) === 0) await engine.unload(name)
      await engine.load(name, source(name), { replace: true })
      swapped++
      // Swaps spread over the whole of the load.
      while (asked < (swapped * requests) / swaps && asked < requests)
        await new Promise((resolve) => setTimeout(resolve, 0))
    }
  }
  await Promise.all([swapper(), ...Array.from({ length: clients }, client)])
  await engine.close()

  const decoder = await graphDecoder({ runtime, base, prefixCacheBytes: 0 })
  const judge = new Judge(decoder)
  const bound = new Map<string, BoundAdapter>()
  for (const adapter of adapters) bound.set(adapter.hash, await decoder.bind(adapter))
  const verdicts = { equal: 0, tie: 0, wrong: 0 }
  for (const { hash, prompt, tokens } of answers) {
    const version = hash === null ? null : bound.get(hash)!
    verdicts[await judge.verdict(`${hash} ${prompt}`, version, prompts[prompt]!, tokens)]++
  }
  await decoder.dispose()
  const { equal, tie: ties, wrong } = verdicts
  return { answered: answers.length, equal, ties, wrong, swaps: swapped, notFound, reloads: reads - folders, cached }
}
