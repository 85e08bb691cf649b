/**
 * @module The messages between the main thread and an engine Worker. Values are structured-cloned, so that typed arrays
 * travel as they are; errors travel as records and come out as {@link EspalierError} again.
 */
import { type ErrorCode, EspalierError, isEspalierError, messageOf } from "../core/errors.ts"
import type {
  AdapterInfo,
  AdapterSource,
  ChoiceEvent,
  Embeddings,
  EmbedRequest,
  EngineInfo,
  EngineStats,
  GenerateRequest,
  Generation,
} from "./engine-api.ts"
import type { LaidAdapter } from "./laid-adapter.ts"

/** Main thread to worker. `id` is chosen by the sender and comes back in every answer. */
export type ToWorker =
  | {
      readonly type: "init"
      readonly id: number
      readonly settings: unknown
      /** Whether the main thread reads adapters for the worker. */
      readonly reads: boolean
    }
  | {
      readonly type: "load"
      readonly id: number
      readonly name: string
      readonly source: AdapterSource
      readonly replace: boolean
    }
  | { readonly type: "rollback"; readonly id: number; readonly name: string }
  | { readonly type: "unload"; readonly id: number; readonly name: string }
  | { readonly type: "list"; readonly id: number }
  | { readonly type: "stats"; readonly id: number }
  | { readonly type: "generate"; readonly id: number; readonly request: GenerateRequest }
  | { readonly type: "embed"; readonly id: number; readonly request: EmbedRequest }
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "close"; readonly id: number }
  // What the worker asked to be read; these ids are the worker's.
  | { readonly type: "laid"; readonly id: number; readonly laid: LaidAdapter }
  | { readonly type: "unread"; readonly id: number; readonly error: WireError }

/** What each kind of call is answered with. */
export interface Answers {
  init: EngineInfo
  load: AdapterInfo
  rollback: AdapterInfo
  unload: null
  list: readonly AdapterInfo[]
  stats: EngineStats
  generate: Omit<Generation, "events">
  embed: Embeddings
  close: null
}

/** Worker to main thread. A `generate` is answered, then streams `event`s, then `end` or `error`. The id of a `read` is the worker's own. */
export type FromWorker =
  | { readonly type: "answer"; readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly type: "event"; readonly id: number; readonly event: ChoiceEvent }
  | { readonly type: "end"; readonly id: number }
  | { readonly type: "error"; readonly id: number; readonly error: WireError }
  | { readonly type: "read"; readonly id: number; readonly path: string }

/** An error as a record. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
  readonly param?: string
  readonly retryAfter?: number
}

/** Any error as a record; what is no {@link EspalierError} is `internal`. */
export function toWireError(error: unknown): WireError {
  if (!isEspalierError(error)) return { code: "internal", message: messageOf(error) }
  const { code, message, hint, param, retryAfter } = error
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(param === undefined ? {} : { param }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}

/** The error that a record stands for. */
export function fromWireError({ code, message, ...details }: WireError): EspalierError {
  return new EspalierError(code, message, details)
}
