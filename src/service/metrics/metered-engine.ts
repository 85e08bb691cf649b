/**
 * @module An engine whose work is counted and timed: who asks for what, how long first tokens and the next ones take, what
 * was found computed, what loading an adapter costs. No prompt and no answer is looked at.
 */
import { isEspalierError } from "../../core/errors.ts"
import type { AdapterInfo, ChoiceEvent, EngineApi, Generation } from "../../serve/engine-api.ts"
import { Counter, exposition, gauge, gauges, Histogram } from "./registry.ts"

/** Seconds, from a small model's token to a long prompt on a slow machine. */
const TOKEN_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** Seconds, from a version that is at hand to a large adapter in a bucket. */
const LOAD_SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]

/** An engine, and what a scrape shows of it. */
export interface MeteredEngine {
  readonly engine: EngineApi
  /** The text of a scrape. @throws {EspalierError} `unavailable` if the engine is gone */
  scrape(): Promise<string>
}

/** @param clock milliseconds that never run backwards */
export function meteredEngine(inner: EngineApi, clock: () => number = () => performance.now()): MeteredEngine {
  const began = clock()
  const requests = new Counter("espalier_requests_total", "Generations and embeddings, by how they ended.")
  const promptTokens = new Counter("espalier_prompt_tokens_total", "Tokens of prompts.")
  const cachedTokens = new Counter("espalier_cached_prompt_tokens_total", "Those that had been computed before.")
  const completionTokens = new Counter("espalier_completion_tokens_total", "Tokens of completions.")
  const firstToken = new Histogram(
    "espalier_time_to_first_token_seconds",
    "From a request to the first token of a choice.",
    REQUEST_SECONDS,
  )
  const nextToken = new Histogram("espalier_inter_token_seconds", "Between two tokens of a choice.", TOKEN_SECONDS)
  const whole = new Histogram("espalier_request_seconds", "From a request to its end.", REQUEST_SECONDS)
  const queued = new Histogram(
    "espalier_queue_seconds",
    "That a choice waited for its place before anything was computed.",
    REQUEST_SECONDS,
  )
  const loads = new Histogram(
    "espalier_adapter_load_seconds",
    "Until a name stands for an adapter: loaded, put in another's place, or the version before taken back.",
    LOAD_SECONDS,
  )
  const evictions = new Counter(
    "espalier_adapter_evictions_total",
    "Times that an adapter has given way to others in memory.",
  )
  const reloads = new Counter("espalier_adapter_reloads_total", "Times that it was read again for a request.")
  /** How often what there is had moved at the last scrape, by name. */
  let movedBefore: ReadonlyMap<string, AdapterInfo> = new Map()
  const countMoves = (adapters: readonly AdapterInfo[]): void => {
    for (const info of adapters) {
      const before = movedBefore.get(info.name)
      // A name that went and came again has begun anew.
      const since = before && before.evictions <= info.evictions && before.reloads <= info.reloads ? before : null
      if (info.evictions > 0) evictions.add({ model: info.name }, info.evictions - (since?.evictions ?? 0))
      if (info.reloads > 0) reloads.add({ model: info.name }, info.reloads - (since?.reloads ?? 0))
    }
    movedBefore = new Map(adapters.map((info) => [info.name, info]))
  }
  /** Requests that were accepted and are not over, by model. */
  const inFlight = new Map<string, number>()
  const count = (model: string, change: 1 | -1): void => {
    const now = (inFlight.get(model) ?? 0) + change
    if (now === 0) inFlight.delete(model)
    else inFlight.set(model, now)
  }

  /** Names come from clients: a merge by request is one model of many, and what there is not is none. */
  const modelOf = (adapter: string | null): string => adapter ?? inner.info.base
  const outcomeOf = (error: unknown): string => (isEspalierError(error) ? error.code : "internal")

  async function* timed(
    events: AsyncIterable<ChoiceEvent>,
    model: string,
    asked: number,
  ): AsyncGenerator<ChoiceEvent, void, undefined> {
    const last = new Map<number, number>()
    let outcome = "aborted"
    count(model, 1)
    try {
      for await (const event of events) {
        const now = clock()
        if (event.type === "text-delta" && event.tokens.length > 0) {
          const before = last.get(event.choice)
          if (before === undefined) firstToken.observe({ model }, (now - asked) / 1000)
          else
            for (let i = 0; i < event.tokens.length; i++)
              nextToken.observe({ model }, (now - before) / 1000 / event.tokens.length)
          last.set(event.choice, now)
        } else if (event.type === "finish") {
          completionTokens.add({ model }, event.usage.completionTokens)
          cachedTokens.add({ model }, event.usage.cachedTokens)
          queued.observe({ model }, event.waitedMs / 1000)
        }
        yield event
      }
      outcome = "ok"
    } catch (error) {
      outcome = outcomeOf(error)
      throw error
    } finally {
      count(model, -1)
      requests.add({ model, outcome })
      whole.observe({ model }, (clock() - asked) / 1000)
    }
  }

  async function timedLoad<T>(model: string, by: "load" | "replace" | "rollback", load: () => Promise<T>): Promise<T> {
    const asked = clock()
    const loaded = await load()
    loads.observe({ model, by }, (clock() - asked) / 1000)
    return loaded
  }

  const engine: EngineApi = {
    ...inner,
    async generate(request, options): Promise<Generation> {
      const asked = clock()
      try {
        const generation = await inner.generate(request, options)
        const model = modelOf(generation.adapter?.name ?? null)
        promptTokens.add({ model }, generation.promptTokens)
        return { ...generation, events: timed(generation.events, model, asked) }
      } catch (error) {
        requests.add({ model: refusedModel(request.adapter, error), outcome: outcomeOf(error) })
        throw error
      }
    },
    async embed(request, options) {
      const asked = clock()
      try {
        const embeddings = await inner.embed(request, options)
        const model = modelOf(request.adapter)
        promptTokens.add({ model }, embeddings.promptTokens)
        requests.add({ model, outcome: "ok" })
        whole.observe({ model }, (clock() - asked) / 1000)
        return embeddings
      } catch (error) {
        requests.add({ model: refusedModel(request.adapter, error), outcome: outcomeOf(error) })
        throw error
      }
    },
    load: (name, source, options) =>
      timedLoad(name, options?.replace ? "replace" : "load", () => inner.load(name, source, options)),
    rollback: (name) => timedLoad(name, "rollback", () => inner.rollback(name)),
  }

  const refusedModel = (adapter: string | null, error: unknown): string =>
    isEspalierError(error, "not_found") ? "unknown" : modelOf(adapter)

  return {
    engine,
    async scrape() {
      const { active, waiting, maxActive, maxWaiting, adapters } = await inner.stats()
      const loaded = await inner.list()
      countMoves(loaded)
      const resident = loaded.filter((info) => info.resident).length
      return exposition([
        gauge("espalier_generations_active", "Generations that advance now.", active),
        gauge("espalier_generations_active_limit", "Generations that may advance at once.", maxActive),
        gauge("espalier_generations_waiting", "Generations that wait for a place.", waiting),
        gauge("espalier_generations_waiting_limit", "Generations that may wait.", maxWaiting),
        gauge("espalier_adapters", "Adapters that are loaded.", adapters),
        gauge("espalier_adapters_resident", "Those of them that are in memory.", resident),
        gauge("espalier_uptime_seconds", "Since the start.", (clock() - began) / 1000),
        gauges(
          "espalier_requests_in_flight",
          "Generations that were accepted and have not ended.",
          [...inFlight].map(([model, requests]) => [{ model }, requests]),
        ),
        requests,
        promptTokens,
        cachedTokens,
        completionTokens,
        queued,
        firstToken,
        nextToken,
        whole,
        loads,
        evictions,
        reloads,
      ])
    },
  }
}
