/**
 * @module The engine: a decoder, its tokenizer and a table of adapters behind {@link EngineApi}. Loading, replacing or
 * removing an adapter rebuilds nothing and touches no generation in flight.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import { parseExpression } from "../merge/expression.ts"
import { answerLead, encodeChat } from "../text/chat.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { toolForm } from "../text/tool-form.ts"
import { type AdapterBinder, createAdapterTable, type NamedHold } from "./adapter-table.ts"
import { createBreathe } from "./breathe.ts"
import { createConstraints } from "./constrain/constraint.ts"
import type { Decoder } from "./decoder.ts"
import { embed } from "./embedding.ts"
import type { ChoiceEvent, EngineApi, GenerateRequest, PromptInput } from "./engine-api.ts"
import { EventQueue } from "./event-queue.ts"
import { freeForms, isLaid } from "./laid-adapter.ts"
import { createRequestMerges, type PreparedMerge } from "./request-merges.ts"
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
  /** Throws if what computes is gone, which whoever asks how the engine is then learns. @default it is not */
  readonly check?: () => void
  readonly scheduler?: SchedulerOptions
  /** @default {256} */
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
  const binder: AdapterBinder = {
    async bind(adapter, owned) {
      // Streams go on meanwhile.
      const laid = isLaid(adapter) ? adapter : await decoder.layOut?.(adapter, breathe)
      // What has nothing to compute need not wait for a step that is under way.
      const bound =
        (laid && decoder.bindNow?.(laid)) ?? (await scheduler.exclusive(() => decoder.bind(laid ?? adapter)))
      if (owned && laid && !isLaid(adapter)) freeForms(adapter.forms, laid)
      return bound
    },
    dispose: (bound) => scheduler.exclusive(() => bound.dispose()),
  }
  const table = createAdapterTable(binder, parts.maxAdapters ?? 256, parts.now ?? Date.now)
  const merges = createRequestMerges(table, binder, parts.maxMerges ?? 8)
  const constraints = createConstraints(tokenizer)
  let closed = false
  /** Texts that are being embedded, or wait for it. */
  let embedding = 0
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
      const facts = { path, replace: options.replace ?? false, owned: path !== null }
      if (laid) return table.put(name, read, { ...facts, laid })
      return scheduler.beside(() => table.put(name, read, facts))
    },
    rollback: async (name) => table.rollback(name),
    unload: (name) => table.remove(name),
    list: async () => table.list(),

    async generate(request, options = {}) {
      const prompts = request.prompts.map((prompt) => encodePrompt(prompt, parts))
      const merging = mergeOf(request.adapter)
      // Not a tick is lost where nothing is merged.
      const merge = merging && (await merging)
      const hold = (): NamedHold | null =>
        merge ? merge.hold() : request.adapter === null ? null : table.hold(request.adapter)
      try {
        const { holds, streams, controller } = submit(request, prompts, hold, options.signal)
        const [first] = holds
        return {
          adapter: first == null ? null : { name: first.name, hash: first.bound.hash },
          promptTokens: prompts.reduce((total, ids) => total + ids.length, 0),
          events: mergeChoices(streams, controller),
        }
      } finally {
        merge?.release()
      }
    },

    async embed({ inputs, adapter }, { signal } = {}) {
      if (closed) throw new EspalierError("unavailable", "The engine has been closed")
      const texts = inputs.map((input) => encodePrompt(input, parts))
      if (embedding + texts.length > MOST_EMBEDDING)
        throw new EspalierError("queue_full", `The queue is full: ${embedding} texts are being embedded`, {
          hint: "Try again in a moment",
        })
      const held = adapter === null ? null : table.hold(adapter)
      embedding += texts.length
      try {
        const bound = held?.bound ?? null
        for (const ids of texts) checkPrompt(ids, decoder)
        const vectors: Float32Array[] = []
        for (const ids of texts) {
          if (signal?.aborted) throw new EspalierError("aborted", "The request was aborted")
          vectors.push(await embed(decoder, scheduler.exclusive, ids, bound))
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
      if (closed) throw new EspalierError("unavailable", "The engine has been closed")
      parts.check?.()
      return { ...scheduler.stats(), adapters: table.list().length }
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
  function mergeOf(name: string | null): Promise<PreparedMerge> | null {
    if (name === null || table.find(name) !== null) return null
    const terms = parseExpression(name)
    return terms && merges.prepare(name, terms)
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
