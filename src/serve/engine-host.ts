/**
 * @module The worker's side of the protocol: makes an engine when it is told to and does what the messages ask.
 */
import { EspalierError } from "../core/errors.ts"
import type { Endpoint } from "./endpoint.ts"
import type { EngineApi } from "./engine-api.ts"
import type { LaidAdapter } from "./laid-adapter.ts"
import { type Answers, type FromWorker, fromWireError, type ToWorker, toWireError } from "./protocol.ts"

/**
 * Builds an engine from the settings of the `init` message.
 * @param readLaid reads an adapter in the thread that asks; undefined where that reads none
 */
export type MakeEngine = (settings: unknown, readLaid?: (path: string) => Promise<LaidAdapter>) => Promise<EngineApi>

/** Who waits for an adapter that the other side reads. */
interface Reading {
  resolve(laid: LaidAdapter): void
  reject(error: unknown): void
}

/** Serves one engine over `endpoint`. */
export function engineHost(endpoint: Endpoint, makeEngine: MakeEngine): void {
  let engine: EngineApi | null = null
  const aborts = new Map<number, AbortController>()
  /** Adapters that the other side reads. */
  const reading = new Map<number, Reading>()
  let nextRead = 1
  const send = (message: FromWorker): void => endpoint.post(message)
  const ready = (): EngineApi => {
    if (engine === null) throw new EspalierError("unavailable", "The engine has not been started")
    return engine
  }

  const readLaid = (path: string): Promise<LaidAdapter> => {
    const id = nextRead++
    return new Promise((resolve, reject) => {
      reading.set(id, { resolve, reject })
      send({ type: "read", id, path })
    })
  }
  const readOf = (id: number): Reading | undefined => {
    const waiting = reading.get(id)
    reading.delete(id)
    return waiting
  }

  /** Runs what an `abort` message of this id ends. */
  const abortable = async <T>(id: number, job: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const controller = new AbortController()
    aborts.set(id, controller)
    try {
      return await job(controller.signal)
    } finally {
      aborts.delete(id)
    }
  }

  const generate = ({ id, request }: Extract<ToWorker, { type: "generate" }>): Promise<void> =>
    abortable(id, async (signal) => {
      const { adapter, promptTokens, events } = await ready().generate(request, { signal })
      send({ type: "answer", id, value: { adapter, promptTokens } })
      for await (const event of events) send({ type: "event", id, event })
      send({ type: "end", id })
    })

  const answer = async (
    message: Exclude<ToWorker, { type: "abort" | "generate" | "laid" | "unread" }>,
  ): Promise<Answers[keyof Answers]> => {
    switch (message.type) {
      case "init":
        engine = await makeEngine(message.settings, message.reads ? readLaid : undefined)
        return engine.info
      case "load":
        return ready().load(message.name, message.source, { replace: message.replace })
      case "rollback":
        return ready().rollback(message.name)
      case "unload":
        await ready().unload(message.name)
        return null
      case "list":
        return ready().list()
      case "stats":
        return ready().stats()
      case "embed":
        return abortable(message.id, (signal) => ready().embed(message.request, { signal }))
      case "close":
        await engine?.close()
        engine = null
        return null
      default:
        return message satisfies never
    }
  }

  const handle = async (message: ToWorker): Promise<void> => {
    try {
      if (message.type === "abort") aborts.get(message.id)?.abort()
      else if (message.type === "laid") readOf(message.id)?.resolve(message.laid)
      else if (message.type === "unread") readOf(message.id)?.reject(fromWireError(message.error))
      else if (message.type === "generate") await generate(message)
      else send({ type: "answer", id: message.id, value: await answer(message) })
    } catch (error) {
      send({ type: "error", id: message.id, error: toWireError(error) })
    }
  }
  endpoint.onMessage((message) => void handle(message as ToWorker))
}
