/**
 * @module The engine: a decoder, its tokenizer and a table of adapters behind {@link EngineApi}. Loading, replacing or
 * removing an adapter rebuilds nothing and touches no generation in flight.
 */
import { freeNow } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import type { Exclusive } from "../core/exclusive.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import { parseExpression } from "../merge/expression.ts"
import { answerLead, encodeChat } from "../text/chat.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { toolForm } from "../text/tool-form.ts"
import { createAdapterTable } from "./adapter-table.ts"
import type { AdapterBinder } from "./adapter-versions.ts"
import { createBreathe } from "./breathe.ts"
import { createConstraints } from "./constrain/constraint.ts"
import type { BoundAdapter, Decoder } from "./decoder.ts"
import { embed } from "./embedding.ts"
import type { ChoiceEvent, EngineApi, GenerateRequest, PromptInput } from "./engine-api.ts"
import { EventQueue } from "./event-queue.ts"
import type { NamedHold, PreparedAdapter } from "./holds.ts"
import { freeForms, isLaid, type LaidAdapter, memoryOf } from "./laid-adapter.ts"
import { createRequestMerges } from "./request-merges.ts"
import { queueFull } from "./room.ts"
import { defaultSampling } from "./sampling.ts"
import { checkPrompt, createScheduler, type SchedulerOptions } from "./scheduler.ts"

/** What an engine is made of. */
export interface EngineParts {
  /** The base's name: what `model` calls it. */
  readonly base: string
  /** sha256 of the base, in hex. */
  readonly baseHash: string
  /** The backend's name, for people. */
  readonly backend: string
  /** The engine's from here on: nobody else may call it. */
  readonly decoder: Decoder
  readonly tokenizer: Tokenizer
  /** Tokens that end a completion. @default the tokenizer's `eosId` */
  readonly eosIds?: readonly number[]
  /**
   * Reads and checks an adapter folder; without it only adapters at hand can be loaded. What it gives is the engine's own, which gives
   * its memory back once it is laid out.
   */
  readonly readAdapter?: (path: string) => Promise<LoadedAdapter>
  /** Does the same elsewhere, for adapters that have given way to others and are asked for. @default `readAdapter` */
  readonly readLaid?: (path: string) => Promise<LaidAdapter>
  /** Throws if what computes is gone, which whoever asks how the engine is then learns. @default it is not */
  readonly check?: () => void
  readonly scheduler?: SchedulerOptions
  /** Adapters in memory at most: beyond it, those that were read from folders give way and come back when they are asked for. @default {256} */
  readonly maxAdapters?: number
  /** Merges by request that stay bound. @default {8} */
  readonly maxMerges?: number
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number
}

/** Texts that may be embedded or wait for it at once. */
const MOST_EMBEDDING = 4096

/** An engine in this thread. */
export interface LocalEngine extends EngineApi {
  /** Gives back, between two steps, the memory of what can be made anew. Who asks next waits for that to be made. */
  rest(): Promise<void>
}

/** Makes an engine in this thread. */
export function createEngine(parts: EngineParts): LocalEngine {
  const { decoder, tokenizer } = parts
  const breathe = parts.scheduler?.breathe ?? createBreathe()
  const scheduler = createScheduler(decoder, tokenizer, parts.scheduler)
  let closed = false
  const checkOpen = (): void => {
    if (closed) throw new EspalierError("unavailable", "The engine has been closed")
  }
  /** Runs a call of the decoder while it is there and no other is under way. */
  const whileOpen: Exclusive["run"] = (job) =>
    scheduler.exclusive(() => {
      checkOpen()
      return job()
    })
  /** What nobody else has of adapters that are bound. */
  const owns = new WeakMap<BoundAdapter, LaidAdapter>()
  const binder: AdapterBinder = {
    async bind(adapter, owned) {
      // Streams go on meanwhile.
      const laid = isLaid(adapter) ? adapter : await decoder.layOut?.(adapter, breathe)
      // What has nothing to compute need not wait for a step that is under way.
      const bound =
        (laid && !closed && decoder.bindNow?.(laid)) || (await whileOpen(() => decoder.bind(laid ?? adapter)))
      if (owned && laid && !isLaid(adapter)) freeForms(adapter.forms, laid)
      if (owned && laid) owns.set(bound, laid)
      return bound
    },
    dispose: (bound) =>
      scheduler.exclusive(async () => {
        await bound.dispose()
        const laid = owns.get(bound)
        // Left to the collector, adapters that gave way lie about until it comes.
        for (const memory of laid ? memoryOf(laid) : []) freeNow(new Uint8Array(memory))
      }),
  }
  const table = createAdapterTable(binder, parts.maxAdapters ?? 256, parts.now ?? Date.now)
  const merges = createRequestMerges(table, binder, parts.maxMerges ?? 8)
  const constraints = createConstraints(tokenizer)
  /** Texts that are being embedded, or wait for it. */
  let embedding = 0
  /** Generations whose adapters are being read again. */
  let returning = 0
  let knownLead: string | null = null
  const chatLead = (): string => {
    knownLead ??= answerLead(tokenizer)
    return knownLead
  }
  const eosIds = parts.eosIds ?? (tokenizer.eosId === null ? [] : [tokenizer.eosId])

  return {
    info: {
      base: parts.base,
      baseHash: parts.baseHash,
      contextLength: decoder.info.contextLength,
      vocabSize: decoder.info.vocabSize,
      hasChatTemplate: tokenizer.hasChatTemplate,
      toolForm: toolForm(tokenizer),
      backend: parts.backend,
    },

    load(name, source, options = {}) {
      const path = "path" in source ? source.path : null
      const laid = "path" in source ? source.laid : undefined
      const read = async (): Promise<LoadedAdapter> => {
        if ("adapter" in source) return source.adapter
        if (parts.readAdapter !== undefined) return parts.readAdapter(source.path)
        throw new EspalierError("unsupported", "This engine reads no adapter folders")
      }
      const { readLaid, readAdapter } = parts
      const again = readLaid ? () => readLaid(path!) : () => scheduler.beside(read)
      const facts = {
        ...{ path, replace: options.replace ?? false, owned: path !== null },
        ...(path !== null && (readLaid ?? readAdapter) && { again }),
      }
      if (laid) return table.put(name, read, { ...facts, laid })
      return scheduler.beside(() => table.put(name, read, facts))
    },
    rollback: (name) => table.rollback(name),
    unload: (name) => table.remove(name),
    list: async () => table.list(),

    async generate(request, options = {}) {
      checkOpen()
      const prompts = request.prompts.map((prompt) => encodePrompt(prompt, parts))
      const preparing = mergeOf(request.adapter) ?? returnOf(request, options.signal)
      // Not a tick is lost where nothing is merged and nothing read again.
      const prepared = preparing && (await preparing)
      const hold = (): NamedHold | null =>
        prepared ? prepared.hold() : request.adapter === null ? null : table.hold(request.adapter)
      try {
        const { holds, streams, controller } = submit(request, prompts, hold, options.signal)
        const [first] = holds
        return {
          adapter: first == null ? null : { name: first.name, hash: first.bound.hash },
          promptTokens: prompts.reduce((total, ids) => total + ids.length, 0),
          events: mergeChoices(streams, controller),
        }
      } finally {
        prepared?.release()
      }
    },

    async embed({ inputs, adapter }, { signal } = {}) {
      checkOpen()
      const texts = inputs.map((input) => encodePrompt(input, parts))
      if (embedding + texts.length > MOST_EMBEDDING)
        throw new EspalierError("queue_full", `The queue is full: ${embedding} texts are being embedded`, {
          hint: "Try again in a moment",
        })
      embedding += texts.length
      let held: NamedHold | null = null
      try {
        const prepared = adapter !== null && table.isAway(adapter) ? await table.bringBack(adapter, signal) : null
        held = prepared?.hold() ?? (adapter === null ? null : table.hold(adapter))
        prepared?.release()
        const bound = held?.bound ?? null
        for (const ids of texts) checkPrompt(ids, decoder)
        const vectors: Float32Array[] = []
        for (const ids of texts) {
          if (signal?.aborted) throw new EspalierError("aborted", "The request was aborted")
          vectors.push(await embed(decoder, whileOpen, ids, bound))
        }
        return {
          adapter: held && { name: held.name, hash: held.bound.hash },
          promptTokens: texts.reduce((total, ids) => total + ids.length, 0),
          vectors,
        }
      } finally {
        embedding -= texts.length
        held?.release()
      }
    },

    async stats() {
      checkOpen()
      parts.check?.()
      return { ...scheduler.stats(), adapters: table.size }
    },
    rest: () => scheduler.exclusive(() => decoder.rest?.()),
    async close() {
      if (closed) return
      closed = true
      await scheduler.close()
      await merges.clear()
      await table.clear()
      await scheduler.exclusive(() => decoder.dispose())
    },
  }

  /** The merge that a name stands for, where no adapter is called so. */
  function mergeOf(name: string | null): Promise<PreparedAdapter> | null {
    if (name === null || table.find(name) !== null) return null
    const terms = parseExpression(name)
    return terms && merges.prepare(name, terms)
  }

  /** The adapter of a request that has to be read again for it; null where it is in memory. */
  function returnOf(
    { adapter, prompts, choices = 1 }: GenerateRequest,
    signal?: AbortSignal,
  ): Promise<PreparedAdapter> | null {
    if (adapter === null || !table.isAway(adapter)) return null
    // They wait as those do that the scheduler has: no more of them.
    const { active, waiting, maxActive, maxWaiting } = scheduler.stats()
    const taken = active + waiting + returning
    const count = prompts.length * choices
    if (taken + count > maxActive + maxWaiting) throw queueFull(taken, 1)
    returning += count
    return table.bringBack(adapter, signal).finally(() => {
      returning -= count
    })
  }

  /** Holds the adapter and submits every choice in one tick, so that no swap can come between two choices. */
  function submit(
    request: GenerateRequest,
    prompts: readonly (readonly number[])[],
    hold: () => NamedHold | null,
    signal?: AbortSignal,
  ) {
    const controller = new AbortController()
    const seed = request.sampling?.seed ?? randomSeed()
    const choices = request.choices ?? 1
    const count = prompts.length * choices
    const leads = request.prompts.map((prompt) => ("messages" in prompt && !prompt.begin ? chatLead() : ""))
    const { format } = request
    const makers = leads.map((lead) => (format ? constraints.prepare(format, lead) : () => null))
    const holds: (NamedHold | null)[] = []
    for (let i = 0; i < count; i++) holds.push(hold())
    const streams = scheduler.submit(
      holds.map((adapter, choice) => ({
        promptIds: prompts[Math.floor(choice / choices)]!,
        adapter,
        sampling: { ...defaultSampling, ...request.sampling, seed: seed + choice },
        maxTokens: request.maxTokens ?? null,
        lead: leads[Math.floor(choice / choices)]!,
        continues: !("messages" in request.prompts[Math.floor(choice / choices)]!),
        constraint: makers[Math.floor(choice / choices)]!(),
        stop: request.stop ?? [],
        eosIds: request.ignoreEos ? [] : eosIds,
        logprobs: request.logprobs ?? null,
        echo: request.echo ?? false,
        cacheSalt: request.cacheSalt ?? "",
        signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
      })),
    )
    return { holds, streams, controller }
  }
}

function encodePrompt(prompt: PromptInput, { tokenizer, base }: EngineParts): readonly number[] {
  if ("ids" in prompt) return prompt.ids
  if ("text" in prompt) return tokenizer.encode(prompt.text, { addSpecial: true })
  if (!tokenizer.hasChatTemplate) {
    throw new EspalierError("unsupported", `The base "${base}" has no chat template`, {
      hint: "Send plain text to /v1/completions instead",
      param: "messages",
    })
  }
  const { messages, tools, begin = "" } = prompt
  const { ids } = encodeChat(tokenizer, messages, { addGenerationPrompt: true, ...(tools && { tools }) })
  return begin === "" ? ids : [...ids, ...tokenizer.encode(begin)]
}

/** All choices' events as they come; the first error ends them all. */
function mergeChoices<T extends object>(
  streams: readonly AsyncIterable<T>[],
  controller: AbortController,
): AsyncIterable<T & Pick<ChoiceEvent, "choice">> {
  const merged = new EventQueue<T & Pick<ChoiceEvent, "choice">>(() => controller.abort())
  let open = streams.length
  const forward = async (stream: AsyncIterable<T>, choice: number): Promise<void> => {
    try {
      for await (const event of stream) merged.push({ ...event, choice })
      if (--open === 0) merged.end()
    } catch (error) {
      merged.fail(error)
      controller.abort()
    }
  }
  for (const [choice, stream] of streams.entries()) void forward(stream, choice)
  return merged
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!
}
