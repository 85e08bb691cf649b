/**
 * @module The main thread's side of the protocol: an {@link EngineApi} whose engine runs behind an endpoint. If the
 * other side dies, everything that waits for it ends in one error, and so does everything asked afterwards.
 */
import { EspalierError, messageOf } from "../core/errors.ts"
import type { Endpoint } from "./endpoint.ts"
import type { ChoiceEvent, EngineApi } from "./engine-api.ts"
import { EventQueue } from "./event-queue.ts"
import { type LaidAdapter, memoryOf } from "./laid-adapter.ts"
import { type Answers, type FromWorker, fromWireError, type ToWorker, toWireError } from "./protocol.ts"
import { createRoom } from "./room.ts"

interface Pending {
  resolve(value: Answers[keyof Answers]): void
  reject(error: unknown): void
}

type Call = Exclude<ToWorker, { type: "abort" | "laid" | "unread" }>
type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never

/**
 * Starts the engine behind `endpoint` and resolves when it is ready.
 * @param settings what the host's `makeEngine` gets
 * @param read reads adapters for the worker's engine when they come back to memory, so that nobody waits there meanwhile
 * @throws {EspalierError} What `makeEngine` threw, or `unavailable` if the worker died.
 */
export async function engineClient(
  endpoint: Endpoint,
  settings: unknown,
  read?: (path: string) => Promise<LaidAdapter>,
): Promise<EngineApi> {
  const pending = new Map<number, Pending>()
  const streams = new Map<number, EventQueue<ChoiceEvent>>()
  /** What gives back the places of each generation. */
  const leaving = new Map<number, (ended: boolean) => void>()
  const leave = (id: number, ended: boolean): void => {
    leaving.get(id)?.(ended)
    leaving.delete(id)
  }
  let nextId = 1
  let failure: EspalierError | null = null
  let closing = false

  const fail = (error: EspalierError): void => {
    if (failure !== null) return
    failure = error
    for (const call of pending.values()) call.reject(error)
    for (const stream of streams.values()) stream.fail(error)
    pending.clear()
    streams.clear()
  }
  const readFor = async (id: number, path: string): Promise<void> => {
    try {
      if (!read) throw new EspalierError("unsupported", "Nobody reads adapters for this engine")
      const laid = await read(path)
      endpoint.post({ type: "laid", id, laid } satisfies ToWorker, memoryOf(laid))
    } catch (error) {
      endpoint.post({ type: "unread", id, error: toWireError(error) } satisfies ToWorker)
    }
  }
  endpoint.onFailure((cause) => {
    fail(
      closing
        ? new EspalierError("unavailable", "The engine has been closed")
        : new EspalierError("unavailable", `The engine stopped: ${messageOf(cause)}`, {
            hint: "Restart the server",
            cause,
          }),
    )
  })
  endpoint.onMessage((data) => {
    const message = data as FromWorker
    const { id } = message
    switch (message.type) {
      case "answer":
        pending.get(id)?.resolve(message.value)
        pending.delete(id)
        break
      case "read":
        void readFor(id, message.path)
        break
      case "event":
        streams.get(id)?.push(message.event)
        break
      case "end":
        leave(id, true)
        streams.get(id)?.end()
        streams.delete(id)
        break
      case "error": {
        const error = fromWireError(message.error)
        leave(id, false)
        pending.get(id)?.reject(error)
        streams.get(id)?.fail(error)
        pending.delete(id)
        streams.delete(id)
        break
      }
      default:
        message satisfies never
    }
  })

  const call = <K extends Call["type"]>(
    message: WithoutId<Extract<Call, { type: K }>>,
    id = nextId++,
    moved: readonly ArrayBuffer[] = [],
  ) =>
    new Promise<Answers[K]>((resolve, reject) => {
      if (failure !== null) return reject(failure)
      pending.set(id, { resolve: resolve as Pending["resolve"], reject })
      try {
        endpoint.post({ ...message, id }, moved)
      } catch (error) {
        // A value that cannot be cloned is refused here and never reaches the other side.
        pending.delete(id)
        reject(error)
      }
    })

  const info = await call<"init">({ type: "init", settings, reads: read !== undefined })
  const room = createRoom(await call<"stats">({ type: "stats" }))
  return {
    info,
    load(name, source, { replace = false } = {}) {
      const moved = "path" in source && source.laid ? memoryOf(source.laid) : []
      return call<"load">({ type: "load", name, source, replace }, nextId++, moved)
    },
    rollback: (name) => call<"rollback">({ type: "rollback", name }),
    unload: async (name) => void (await call<"unload">({ type: "unload", name })),
    list: () => call<"list">({ type: "list" }),
    stats: () => call<"stats">({ type: "stats" }),
    async embed(request, { signal } = {}) {
      if (signal?.aborted) throw new EspalierError("aborted", "The request was aborted")
      const id = nextId++
      const abort = (): void => endpoint.post({ type: "abort", id } satisfies ToWorker)
      signal?.addEventListener("abort", abort, { once: true })
      try {
        return await call<"embed">({ type: "embed", request }, id)
      } finally {
        signal?.removeEventListener("abort", abort)
      }
    },
    async generate(request, { signal } = {}) {
      if (failure !== null) throw failure
      const id = nextId++
      leaving.set(id, room.take(request.prompts.length * (request.choices ?? 1)))
      const abort = (): void => endpoint.post({ type: "abort", id } satisfies ToWorker)
      const events = new EventQueue<ChoiceEvent>(abort)
      // Events may follow the answer at once, before whoever waits for the answer runs.
      streams.set(id, events)
      signal?.addEventListener("abort", abort, { once: true })
      try {
        const answer = call<"generate">({ type: "generate", request }, id)
        if (signal?.aborted) abort()
        return { ...(await answer), events: untilEnd(events, () => signal?.removeEventListener("abort", abort)) }
      } catch (error) {
        leave(id, false)
        streams.delete(id)
        signal?.removeEventListener("abort", abort)
        throw error
      }
    },
    async close() {
      closing = true
      await call<"close">({ type: "close" })
      fail(new EspalierError("unavailable", "The engine has been closed"))
    },
  }
}

/** The same items; `onEnd` runs when the reader is done with them. */
async function* untilEnd<T>(items: AsyncIterable<T>, onEnd: () => void): AsyncGenerator<T, void, undefined> {
  try {
    yield* items
  } finally {
    onEnd()
  }
}
