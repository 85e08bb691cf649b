/**
 * @module Load on an engine or on a peer of it, closed (so many clients, each asks again when it is answered) or open (requests come at
 * random moments, however long answers take), and what the clients see of it.
 */
import { type Rng, rng } from "../../src/core/rng.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { type Summary, summarise } from "./stats.ts"

/** What clients ask for. */
export interface Load {
  readonly requests: number
  /** Clients that ask again once they are answered; with `rate` the most that may wait. */
  readonly clients: number
  /** Requests a second, at random moments; null for closed load. */
  readonly rate: number | null
  /** Names to draw from; null is the base. */
  readonly models: readonly (string | null)[]
  /** Token ids of each prompt, and tokens of each answer. */
  readonly prompt: number
  readonly output: number
  readonly vocab: number
  readonly seed: number
}

/** What clients saw. Times are in milliseconds. */
export interface LoadFigures {
  readonly seconds: number
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly firstToken: Percentiles
  readonly betweenTokens: Percentiles
  /** Refused because the queue was full. */
  readonly refused: number
}

/** A distribution. */
export interface Percentiles extends Summary {
  readonly p95: number
  readonly p99: number
}

/** Whoever answers. */
export interface Target {
  /** The answer's tokens as they come: how many at once. @throws {EspalierError} `queue_full` */
  ask(prompt: readonly number[], model: string | null, output: number): AsyncIterable<number>
}

/** An engine as one who answers: greedily, and to the last token asked for. */
export const engineTarget = (engine: EngineApi): Target => ({
  async *ask(ids, adapter, maxTokens) {
    const request = { prompts: [{ ids }], adapter, maxTokens, ignoreEos: true, sampling: { temperature: 0 } }
    const { events } = await engine.generate(request)
    for await (const event of events)
      if (event.type === "text-delta" && event.tokens.length > 0) yield event.tokens.length
  },
})

/** Runs a load to its end. @param clock milliseconds that never run backwards */
export async function runLoad(
  target: Target,
  load: Load,
  clock: () => number = () => performance.now(),
): Promise<LoadFigures> {
  const random = rng(load.seed, "load")
  const first: number[] = []
  const between: number[] = []
  let [tokens, refused, sent] = [0, 0, 0]
  const ask = async (): Promise<void> => {
    const asked = clock()
    let last: number | null = null
    try {
      const prompt = Array.from({ length: load.prompt }, () => random.below(load.vocab))
      for await (const count of target.ask(prompt, random.pick(load.models), load.output)) {
        const now = clock()
        tokens += count
        if (last === null) first.push(now - asked)
        else for (let i = 0; i < count; i++) between.push((now - last) / count)
        last = now
      }
    } catch (error) {
      if ((error as { code?: string }).code !== "queue_full") throw error
      refused++
    }
  }
  const began = clock()
  if (load.rate === null) {
    const client = async (): Promise<void> => {
      while (sent < load.requests) {
        sent++
        await ask()
      }
    }
    await Promise.all(Array.from({ length: load.clients }, client))
  } else await openLoad(load, random, ask)
  const seconds = (clock() - began) / 1000
  return {
    seconds,
    tokens,
    tokensPerSecond: tokens / seconds,
    firstToken: percentiles(first),
    betweenTokens: percentiles(between),
    refused,
  }
}

/** Requests at moments that know nothing of each other: the gaps between them are exponentially distributed. */
async function openLoad({ requests, rate }: Load, random: Rng, ask: () => Promise<void>): Promise<void> {
  const all: Promise<void>[] = []
  for (let i = 0; i < requests; i++) {
    all.push(ask())
    const gap = (-Math.log(1 - random.next()) / rate!) * 1000
    await new Promise((resolve) => setTimeout(resolve, gap))
  }
  await Promise.all(all)
}

/** A series' median and its far end. @throws {RangeError} If there is nothing to sum up. */
export function percentiles(series: readonly number[]): Percentiles {
  const sorted = [...series].sort((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)]!
  return { ...summarise(series), p95: at(0.95), p99: at(0.99) }
}
