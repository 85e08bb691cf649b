/**
 * @module Answers with an outcome of the service: whole as JSON, in chunks as server-sent events. A client that leaves
 * ends its generation.
 */
import type { Context, TypedResponse } from "hono"
import type { JSONParsed } from "hono/utils/types"
import type { CallOptions, Outcome } from "../src/service/generate.ts"
import { callerOf } from "./caller.ts"
import type { AppTypes, RouteEnvironment } from "./environment.ts"
import { HttpError } from "./errors.ts"
import { eventStream } from "./event-stream.ts"

/**
 * Runs `call` and answers with what it gives.
 * @param call gets the signal that tells of a client's leaving
 */
export async function answerOutcome<Whole extends object, Chunk>(
  c: Context<AppTypes>,
  { keepAliveMs, requestTimeoutMs, onError }: RouteEnvironment,
  call: (options: CallOptions) => Promise<Outcome<Whole, Chunk>>,
): Promise<Response & TypedResponse<JSONParsed<Whole>, 200, "json">> {
  const controller = new AbortController()
  const leave = (): void => controller.abort()
  const { signal } = c.req.raw
  // Whoever left while the body was being read leaves no event behind.
  if (signal.aborted) leave()
  signal.addEventListener("abort", leave, { once: true })
  let isLate = false
  const timer =
    requestTimeoutMs === null
      ? undefined
      : setTimeout(() => {
          isLate = true
          controller.abort()
        }, requestTimeoutMs)
  const end = (): void => {
    clearTimeout(timer)
    signal.removeEventListener("abort", leave)
  }
  const told = (error: unknown): unknown => (isLate ? late(requestTimeoutMs!) : error)
  const { owner } = callerOf(c)
  let outcome: Outcome<Whole, Chunk>
  try {
    outcome = await call({ signal: controller.signal, ...(owner !== undefined && { tenant: owner }) })
  } catch (error) {
    end()
    throw told(error)
  }
  const headers = adapterHeader(outcome.adapter)
  if ("whole" in outcome) {
    end()
    return c.json(outcome.whole, 200, headers)
  }
  const stream = eventStream(guarded(outcome.chunks, end, told), {
    headers,
    keepAliveMs,
    onCancel: () => {
      end()
      leave()
    },
    onError: (error) => onError(error, c.get("requestId")),
  })
  // The type is the whole answer's: who asks for a stream reads its events from the body.
  return stream as Response & TypedResponse<JSONParsed<Whole>, 200, "json">
}

/** The same chunks; `end` is called after the last one, and errors are told as `told` tells them. */
async function* guarded<T>(
  chunks: AsyncIterable<T>,
  end: () => void,
  told: (error: unknown) => unknown,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* chunks
  } catch (error) {
    throw told(error)
  } finally {
    end()
  }
}

const late = (ms: number): HttpError =>
  new HttpError(408, "aborted", `The answer took longer than this server's limit of ${ms / 1000} seconds`, {
    hint: "Ask for fewer tokens",
    // The official clients try twice more after any 408, and would keep the engine at it three times as long.
    headers: { "x-should-retry": "false" },
  })

/** Names the adapter version that answered, to its end. */
function adapterHeader(adapter: Outcome<never, never>["adapter"]): Record<string, string> {
  return adapter === null ? {} : { "x-espalier-adapter": `${adapter.name}@${adapter.hash.slice(0, 12)}` }
}
