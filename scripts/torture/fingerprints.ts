/**
 * @module Adapters that can be told apart by what they answer, prompts that begin alike, and the judge of an answer: a
 * decoder of its own, in which everything is computed alone.
 */
import { type Rng, rng } from "../../src/core/rng.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import type { Base } from "../../src/models/base.ts"
import type { BoundAdapter, Decoder } from "../../src/serve/decoder.ts"
import { argmax } from "../../src/serve/sampling.ts"
import { randomLora } from "../random-lora.ts"

/** LoRA of random factors, of ranks that differ from one to the next. */
export const fingerprint = (base: Base, seed: number): LoadedAdapter => {
  const rank = 1 + (seed % 8)
  return randomLora(base, {
    random: rng(seed, "torture:adapter"),
    hash: seed.toString(16).padStart(64, "0"),
    rank,
    scale: 1 / Math.sqrt(rank),
    stdA: (inFeatures) => 1 / Math.sqrt(inFeatures),
    stdB: 0.6,
    targets: null,
  })
}

/** Prompts that share their beginnings, so that what was computed for one is found by others. */
export function promptsOf(base: Base, count: number, seed: number): number[][] {
  const random: Rng = rng(seed, "torture:prompts")
  const tokens = (length: number) => Array.from({ length }, () => random.below(base.config.vocabSize))
  const roots = [tokens(16), tokens(16)]
  return Array.from({ length: count }, () => [...random.pick(roots), ...tokens(1 + random.below(24))])
}

/** What was wrong with an answer: nothing, a tie that rounding decided, or another's words. */
export type Verdict = "equal" | "tie" | "wrong"

/** Judges answers by computing them alone. */
export class Judge {
  readonly #decoder: Decoder
  readonly #golden = new Map<string, number[]>()

  /** @param decoder nobody else's */
  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  /** The greedy continuation, token by token and alone. */
  async golden(key: string, adapter: BoundAdapter | null, prompt: readonly number[], length: number) {
    const known = this.#golden.get(key)
    if (known) return known
    const sequence = await this.#decoder.open(adapter, (adapter?.virtualTokens ?? 0) + prompt.length + length)
    const found: number[] = [argmax(await sequence.append(prompt))]
    while (found.length < length) found.push(argmax(await sequence.append([found.at(-1)!])))
    sequence.close()
    this.#golden.set(key, found)
    return found
  }

  /**
   * Whether an answer is its adapter's own. Where it leaves the golden one, the token there must be as likely as the
   * likeliest but for rounding, and so must each that follows.
   */
  async verdict(
    key: string,
    adapter: BoundAdapter | null,
    prompt: readonly number[],
    answer: readonly number[],
  ): Promise<Verdict> {
    const golden = await this.golden(key, adapter, prompt, answer.length)
    if (golden.join() === answer.join()) return "equal"
    const capacity = (adapter?.virtualTokens ?? 0) + prompt.length + answer.length
    const sequence = await this.#decoder.open(adapter, capacity)
    try {
      let logits = await sequence.append(prompt)
      for (const [i, token] of answer.entries()) {
        const best = logits[argmax(logits)]!
        const size = logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
        if (best - logits[token]! > TIE * size) return "wrong"
        if (i + 1 < answer.length) logits = await sequence.append([token])
      }
      return "tie"
    } finally {
      sequence.close()
    }
  }
}

/** A difference of logits, in parts of the largest, that rounding alone may make: f32 sums in another order. */
const TIE = 2e-5
