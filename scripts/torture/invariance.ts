/**
 * @module Batch invariance: whether a greedy answer is the same alone and beside others, and where it isn't, whether rounding
 * decided between two tokens.
 */
import { rng } from "../../src/core/rng.ts"
import type { Base } from "../../src/models/base.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import type { BoundAdapter } from "../../src/serve/decoder.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { argmax } from "../../src/serve/sampling.ts"
import { fingerprint, Judge, promptsOf } from "./fingerprints.ts"

/** How much of it. */
export interface InvarianceOptions {
  readonly base: Base
  readonly runtime: Runtime
  readonly prompts: number
  readonly seed: number
}

/** What came of it. */
export interface InvarianceFigures {
  readonly prompts: number
  readonly equal: number
  readonly ties: number
  readonly wrong: number
}

const OUTPUT = 16
const ADAPTERS = 8

/** Decodes prompts in batches of 2 to 8, each row with an adapter of its own or none, and each of them alone. */
export async function invariance({ base, runtime, prompts, seed }: InvarianceOptions): Promise<InvarianceFigures> {
  const random = rng(seed, "invariance")
  const decoder = await graphDecoder({ runtime, base, prefixCacheBytes: 0 })
  const judge = new Judge(decoder)
  const all: (BoundAdapter | null)[] = [null]
  for (let i = 0; i < ADAPTERS; i++) all.push(await decoder.bind(fingerprint(base, seed * 1000 + i)))
  const drawn = promptsOf(base, prompts, seed)
  const verdicts = { equal: 0, tie: 0, wrong: 0 }
  for (let from = 0; from < prompts; ) {
    const batch = drawn.slice(from, from + 2 + random.below(7)).map((prompt, i) => ({
      key: String(from + i),
      prompt,
      adapter: random.pick(all),
      answer: [] as number[],
    }))
    const rows = []
    for (const each of batch) {
      const capacity = (each.adapter?.virtualTokens ?? 0) + each.prompt.length + OUTPUT
      const sequence = await decoder.open(each.adapter, capacity)
      each.answer.push(argmax(await sequence.append(each.prompt)))
      rows.push({ each, sequence })
    }
    while (rows[0]!.each.answer.length < OUTPUT) {
      const logits = await decoder.step(rows.map(({ each, sequence }) => ({ sequence, token: each.answer.at(-1)! })))
      for (const [i, { each }] of rows.entries()) each.answer.push(argmax(logits[i]!))
    }
    for (const { sequence } of rows) sequence.close()
    for (const { key, adapter, prompt, answer } of batch) verdicts[await judge.verdict(key, adapter, prompt, answer)]++
    from += batch.length
  }
  await decoder.dispose()
  const { equal, tie: ties, wrong } = verdicts
  return { prompts, equal, ties, wrong }
}
