/**
 * @module What every part of the service works with.
 */
import type { AdapterShelf } from "../jobs/adapter-shelf.ts"
import type { JobStore } from "../jobs/job-store.ts"
import type { JobQueue } from "../jobs/queue.ts"
import type { JobRunner } from "../jobs/runner.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import type { AdapterRoot } from "./adapter-path.ts"
import { createLoraState, type LoraState } from "./lora-state.ts"
import { type RetrievalOptions, type RetrievalSource, sourceOf } from "./retrieval-source.ts"
import { createShelfLoader, type ShelfLoader } from "./shelf-loader.ts"

/** What trains the jobs of a store. */
export interface Training {
  readonly queue: JobQueue
  readonly runner: JobRunner
  readonly shelf: AdapterShelf
}

/** What a service is made of. */
export interface ServiceOptions {
  readonly engine: EngineApi
  /** Where adapters may be loaded from by request; without it none may. */
  readonly adapterRoot?: AdapterRoot
  /** Where files and jobs are kept; closed with the service. Without it there are none. */
  readonly store?: JobStore
  /** What trains the jobs of `store`; without it there are none. */
  readonly training?: Training
  /** Documents to search; closed with the service. Without it there are none. */
  readonly documents?: DocumentIndex
  /** How questions are answered from `documents`, or from a store of one's own; without it they never are. */
  readonly retrieval?: RetrievalOptions
  /** Bytes of an uploaded file at most. @default {104857600} 100 MiB */
  readonly maxFileBytes?: number
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number
  /** A fresh, unguessable id. @default {crypto.randomUUID} without its dashes */
  readonly newId?: () => string
}

/** {@link ServiceOptions} with nothing left out. */
export interface ServiceContext {
  readonly engine: EngineApi
  readonly adapterRoot: AdapterRoot | null
  readonly store: JobStore | null
  readonly training: Training | null
  /** Loads what jobs made; null where no job is run. */
  readonly shelf: ShelfLoader | null
  /** How questions are answered from documents; null where they never are. */
  readonly retrieval: (RetrievalOptions & { readonly source: RetrievalSource }) | null
  /** What adapters weigh in requests to the base that say nothing else. */
  readonly loras: LoraState
  readonly now: () => number
  readonly newId: () => string
  /** When the service began, milliseconds since 1970. */
  readonly startedAt: number
}

/** The context of a new service. */
export function createContext(options: ServiceOptions): ServiceContext {
  const now = options.now ?? Date.now
  const source = sourceOf(options.retrieval?.retriever, options.documents)
  return {
    engine: options.engine,
    adapterRoot: options.adapterRoot ?? null,
    store: options.store ?? null,
    training: options.training ?? null,
    shelf: options.training ? createShelfLoader(options.engine, options.training.shelf) : null,
    retrieval: options.retrieval && source ? { ...options.retrieval, source } : null,
    loras: createLoraState(),
    now,
    newId: options.newId ?? (() => crypto.randomUUID().replaceAll("-", "")),
    startedAt: now(),
  }
}

/** OpenAI counts time in seconds. */
export const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)
