/**
 * @module What an engine does for the rest of the program. It reads the same whether the engine runs in this thread
 * (`engine.ts`) or in a Worker (`engine-client.ts`): plain values in, plain values and async iterables out.
 */
import type { LoadedAdapter } from "../forms/form.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { ToolForm } from "../text/tool-form.ts"
import type { AnswerFormat } from "./constrain/constraint.ts"
import type { GenerationEvent } from "./generation.ts"
import type { LaidAdapter } from "./laid-adapter.ts"
import type { SamplingOptions } from "./sampling.ts"
import type { SchedulerStats } from "./scheduler.ts"

/** Facts about an engine that never change. */
export interface EngineInfo {
  /** The base's name: what `model` calls it. */
  readonly base: string
  /** sha256 of the base, in hex. */
  readonly baseHash: string
  /** Positions for prompt and completion together. */
  readonly contextLength: number
  readonly vocabSize: number
  readonly hasChatTemplate: boolean
  /** How its template writes calls of tools; null where it knows none. */
  readonly toolForm: ToolForm | null
  /** The backend, for people: `native`, say. */
  readonly backend: string
}

/** A loaded adapter, as people see it. */
export interface AdapterInfo {
  readonly name: string
  /** sha256 over its tensors and configuration, in hex. */
  readonly hash: string
  readonly method: string
  readonly sizeBytes: number
  /** Positions of the context that its virtual tokens take. */
  readonly virtualTokens: number
  /** Where it was read from, if it was read from a folder. */
  readonly path: string | null
  /** Milliseconds since 1970. */
  readonly loadedAt: number
  /** The hash of the version before, where one is kept for a rollback. */
  readonly previousHash: string | null
  /** Whether it is in memory; if not, the next request for it brings it there. */
  readonly resident: boolean
  /** How often it has given way to others since its name came, and come back. */
  readonly evictions: number
  readonly reloads: number
}

/** Where an adapter comes from: tensors at hand, or a folder, which the engine reads itself where it hasn't been read for it. */
export type AdapterSource = { readonly adapter: LoadedAdapter } | { readonly path: string; readonly laid?: LaidAdapter }

/** One prompt: text, token ids, or a conversation for the base's chat template. */
export type PromptInput =
  | { readonly text: string }
  | { readonly ids: readonly number[] }
  | {
      readonly messages: readonly ChatMessage[]
      /** For the template, as OpenAI writes them. */
      readonly tools?: readonly object[]
      /** What the answer begins with: the template's own words, put behind its generation prompt. @default {""} */
      readonly begin?: string
    }

/** What to generate: `choices` completions of each prompt, all on one adapter version. */
export interface GenerateRequest {
  readonly prompts: readonly PromptInput[]
  /** Completions of each prompt. @default {1} */
  readonly choices?: number
  /** The adapter's name; `null` for the bare base. */
  readonly adapter: string | null
  /** What is left out keeps its default; without `seed` a random one is taken. */
  readonly sampling?: Partial<SamplingOptions>
  /** @default {null} 1024, or as many as the context holds */
  readonly maxTokens?: number | null
  readonly stop?: readonly string[]
  /** Go on after end tokens. @default {false} */
  readonly ignoreEos?: boolean
  /** Likeliest tokens to name beside each token; `null` for no logprobs. @default {null} */
  readonly logprobs?: number | null
  /** Whose requests may share computed prompts with this one: those of the same salt. @default {""} */
  readonly cacheSalt?: string
  /** Begin each choice with a `prompt` event. @default {false} */
  readonly echo?: boolean
  /** What every completion is held to; without it they are free. */
  readonly format?: AnswerFormat
}

/** An event of one choice; choice = prompt index * `choices` + number. */
export type ChoiceEvent = GenerationEvent & { readonly choice: number }

/** A generation that was accepted. */
export interface Generation {
  /** The adapter version that answers, to its end; `null` for the base. */
  readonly adapter: { readonly name: string; readonly hash: string } | null
  /** Tokens of all prompts, each counted once. */
  readonly promptTokens: number
  /**
   * Each choice's events in order, choices mixed; ends after the last `finish`, or throws once. Read it once; leaving
   * the loop early, or aborting the signal, ends the generation.
   */
  readonly events: AsyncIterable<ChoiceEvent>
}

/** Texts to turn into vectors, all on one adapter version. */
export interface EmbedRequest {
  readonly inputs: readonly PromptInput[]
  /** The adapter's name; `null` for the bare base. */
  readonly adapter: string | null
}

/** Vectors of texts. */
export interface Embeddings {
  /** The adapter version that was used; `null` for the base. */
  readonly adapter: { readonly name: string; readonly hash: string } | null
  /** Tokens of all inputs. */
  readonly promptTokens: number
  /** f32 [hidden] of length 1 for each input. */
  readonly vectors: readonly Float32Array[]
}

/** Counters of an engine. */
export interface EngineStats extends SchedulerStats {
  readonly adapters: number
}

/** An engine: one frozen base, any number of adapters, several generations at once. */
export interface EngineApi {
  readonly info: EngineInfo
  /**
   * Makes an adapter ready under `name`. Generations in flight keep the version that they began with. Where memory holds as many as it
   * may, the one asked for longest ago gives way, of those that were read from a folder: it keeps its name and is read again when it is
   * asked for, by `generate`, `embed` or `rollback`, which throw `conflict` if it isn't the same any more.
   * @throws {EspalierError} `conflict` if the name is taken and `replace` is not set, or nothing may give way; `adapter_mismatch`,
   *   `invalid_file`, `not_found` if the adapter is unusable: then nothing has changed
   */
  load(name: string, source: AdapterSource, options?: { readonly replace?: boolean }): Promise<AdapterInfo>
  /**
   * Puts the version of before in the place of the one there is, at once; once more undoes it.
   * @throws {EspalierError} `not_found`, or `conflict` where none is kept
   */
  rollback(name: string): Promise<AdapterInfo>
  /** @throws {EspalierError} `not_found` */
  unload(name: string): Promise<void>
  /** Loaded adapters by name. */
  list(): Promise<readonly AdapterInfo[]>
  /**
   * Accepts a generation, or refuses it before anything is allocated.
   * @throws {EspalierError} `not_found` (no such adapter), `invalid_request`, `queue_full`, `unavailable`
   */
  generate(request: GenerateRequest, options?: { readonly signal?: AbortSignal }): Promise<Generation>
  /**
   * Turns texts into vectors: the mean of their last hidden states.
   * @throws {EspalierError} `not_found` (no such adapter), `invalid_request`, `queue_full`, `unavailable`
   */
  embed(request: EmbedRequest, options?: { readonly signal?: AbortSignal }): Promise<Embeddings>
  stats(): Promise<EngineStats>
  /** Ends generations with `unavailable`, frees everything. */
  close(): Promise<void>
}
