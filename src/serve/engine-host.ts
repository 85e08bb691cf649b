/**
 * @module The worker's side of the protocol: makes an engine when it is told to and does what the messages ask.
 */
import { EspalierError } from "../core/errors.ts"
import type { Endpoint } from "./endpoint.ts"
import type { EngineApi } from "./engine-api.ts"
import { type Answers, type FromWorker, type ToWorker, toWireError } from "./protocol.ts"

/**
 * Serves one engine over `endpoint`.
 * @param makeEngine builds the engine from the settings of the `init` message
 */
export function engineHost(endpoint: Endpoint, makeEngine: (settings: unknown) => Promise<EngineApi>): void {
  let engine: EngineApi | null = null
  const aborts = new Map<number, AbortController>()
  const send = (message: FromWorker): void => endpoint.post(message)
  const ready = (): EngineApi => {
    if (engine === null) throw new EspalierError("unavailable", "The engine has not been started")
    return engine
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
    message: Exclude<ToWorker, { type: "abort" | "generate" }>,
  ): Promise<Answers[keyof Answers]> => {
    switch (message.type) {
      case "init":
        engine = await makeEngine(message.settings)
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
      else if (message.type === "generate") await generate(message)
      else send({ type: "answer", id: message.id, value: await answer(message) })
    } catch (error) {
      send({ type: "error", id: message.id, error: toWireError(error) })
    }
  }
  endpoint.onMessage((message) => void handle(message as ToWorker))
}
