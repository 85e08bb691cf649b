/**
 * @module Adapters read in a thread of their own: both ends of it. To read one, hold it against its hashes and its base and
 * lay it out takes a small model's engine as long as half a token for all who stream; beside it, it takes them nothing. The
 * thread starts when the first adapter is read.
 */
import { parentPort, Worker } from "node:worker_threads"
import { EspalierError } from "../core/errors.ts"
import { endpointOf } from "../serve/endpoint.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { inOnePiece, type LaidAdapter, layOut, memoryOf } from "../serve/laid-adapter.ts"
import { fromWireError, toWireError, type WireError } from "../serve/protocol.ts"
import { openBaseToRead } from "./open-base.ts"
import { readServedAdapter } from "./read-adapter.ts"

/** What adapters are read for: plain values, as they cross to a Worker. */
export interface ReadingSettings {
  /** The base's folder, and its hash. */
  readonly base: string
  readonly baseHash: string
  /** Positions of a sequence. */
  readonly contextLength: number
  /** Take what a run held back, and adapters of another base of the same shapes. @default {false} */
  readonly force?: boolean
}

/** To the reading thread. */
interface ToReader {
  readonly id: number
  readonly path: string
  readonly settings: ReadingSettings
}

/** From the reading thread. */
type FromReader =
  | { readonly id: number; readonly laid: LaidAdapter }
  | { readonly id: number; readonly error: WireError }

/** Reads adapters for one base. */
export interface AdapterReader {
  /**
   * Reads a folder, or a place in a bucket.
   * @throws {EspalierError} What is wrong with it, or `unavailable` if the thread died
   */
  read(path: string): Promise<LaidAdapter>
  close(): Promise<void>
}

/** A thread of two ends: messages are answered by their number. */
interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, { resolve(laid: LaidAdapter): void; reject(error: unknown): void }>
}

/**
 * A reader in a thread, which is started anew should it die.
 * @param worker the module that calls {@link hostReader}
 */
export function readingThread(worker: URL, settings: ReadingSettings): AdapterReader {
  let thread: Thread | null = null
  let nextId = 1
  const start = (): Thread => {
    const started: Thread = { worker: new Worker(worker), pending: new Map() }
    const endpoint = endpointOf(started.worker)
    endpoint.onMessage((data) => {
      const message = data as FromReader
      const waiting = started.pending.get(message.id)
      started.pending.delete(message.id)
      if ("laid" in message) waiting?.resolve(message.laid)
      else waiting?.reject(fromWireError(message.error))
    })
    endpoint.onFailure((cause) => {
      if (thread === started) thread = null
      const error = new EspalierError("unavailable", "The thread that reads adapters ended", { cause })
      for (const { reject } of started.pending.values()) reject(error)
      started.pending.clear()
    })
    return started
  }
  return {
    read(path) {
      thread ??= start()
      const { worker, pending } = thread
      const id = nextId++
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject })
        worker.postMessage({ id, path, settings } satisfies ToReader)
      })
    },
    close: async () => void (await thread?.worker.terminate()),
  }
}

/** The same engine, for which folders are read elsewhere. Closing it closes the reader. */
export function readsApart(engine: EngineApi, reader: AdapterReader): EngineApi {
  return {
    ...engine,
    async load(name, source, options) {
      if (!("path" in source) || source.laid) return engine.load(name, source, options)
      return engine.load(name, { path: source.path, laid: await reader.read(source.path) }, options)
    },
    async close() {
      await engine.close()
      await reader.close()
    },
  }
}

/**
 * Reads adapters for the thread that started this one.
 * @throws {Error} Outside a Worker.
 */
export function hostReader(): void {
  if (parentPort === null) throw new Error("Adapters are read in a Worker, and this is none")
  const endpoint = endpointOf(parentPort)
  let opened: ReturnType<typeof openBaseToRead> | null = null
  const read = async ({ path, settings }: ToReader): Promise<LaidAdapter> => {
    const { base, baseHash, contextLength, force = false } = settings
    opened ??= openBaseToRead(base, baseHash)
    // What could not be opened may be there the next time.
    opened.catch(() => {
      opened = null
    })
    const open = await opened
    return inOnePiece(await layOut(open.base, await readServedAdapter(open, path, force), { context: contextLength }))
  }
  endpoint.onMessage((data) => {
    const message = data as ToReader
    const { id } = message
    read(message).then(
      (laid) => endpoint.post({ id, laid } satisfies FromReader, memoryOf(laid)),
      (error) => endpoint.post({ id, error: toWireError(error) } satisfies FromReader),
    )
  })
}
