/**
 * @module The worker's side of the protocol: makes an engine when it is told to and does what the messages ask.
 */
import { EspalierError } from "../core/errors.ts"
import type { Endpoint } from "./endpoint.ts"
import type { Embeddings, EngineApi } from "./engine-api.ts"
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

  const generate = async (message: Extract<ToWorker, { type: "generate" }>): Promise<void> => {
    const controller = new AbortController()
    aborts.set(message.id, controller)
    try {
      const generation = await ready().generate(message.request, { signal: controller.signal })
      const { adapter, promptTokens } = generation
      send({ type: "answer", id: message.id, value: { adapter, promptTokens } })
      for await (const event of generation.events) send({ type: "event", id: message.id, event })
      send({ type: "end", id: message.id })
    } finally {
      aborts.delete(message.id)
    }
  }

  const embed = async (message: Extract<ToWorker, { type: "embed" }>): Promise<Embeddings> => {
    const controller = new AbortController()
    aborts.set(message.id, controller)
    try {
      return await ready().embed(message.request, { signal: controller.signal })
    } finally {
      aborts.delete(message.id)
    }
  }

  const answer = async (
    message: Exclude<ToWorker, { type: "abort" | "generate" }>,
  ): Promise<Answers[keyof Answers]> => {
    switch (message.type) {
      case "init":
        engine = await makeEngine(message.settings)
        return engine.info
      case "load":
        return ready().load(message.name, message.source, { replace: message.replace })
      case "unload":
        await ready().unload(message.name)
        return null
      case "list":
        return ready().list()
      case "stats":
        return ready().stats()
      case "embed":
        return embed(message)
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
