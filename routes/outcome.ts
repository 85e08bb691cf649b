/**
 * @module Answers with an outcome of the service: whole as JSON, in chunks as server-sent events. A client that leaves
 * ends its generation.
 */
import type { Context } from "hono"
import type { CallOptions, Outcome } from "../src/service/generate.ts"
import type { AppTypes, RouteEnvironment } from "./environment.ts"
import { eventStream } from "./event-stream.ts"

/**
 * Runs `call` and answers with what it gives.
 * @param call gets the signal that tells of a client's leaving
 */
export async function answerOutcome<Whole extends object, Chunk>(
  c: Context<AppTypes>,
  { keepAliveMs, onError }: RouteEnvironment,
  call: (options: CallOptions) => Promise<Outcome<Whole, Chunk>>,
): Promise<Response> {
  const controller = new AbortController()
  const leave = (): void => controller.abort()
  const { signal } = c.req.raw
  // Whoever left while the body was being read leaves no event behind.
  if (signal.aborted) leave()
  signal.addEventListener("abort", leave, { once: true })
  const outcome = await call({ signal: controller.signal })
  const headers = adapterHeader(outcome.adapter)
  if ("whole" in outcome) {
    signal.removeEventListener("abort", leave)
    return c.json(outcome.whole, 200, headers)
  }
  return eventStream(outcome.chunks, {
    headers,
    keepAliveMs,
    onCancel: leave,
    onError: (error) => onError(error, c.get("requestId")),
  })
}

/** Names the adapter version that answered, to its end. */
function adapterHeader(adapter: Outcome<never, never>["adapter"]): Record<string, string> {
  return adapter === null ? {} : { "x-espalier-adapter": `${adapter.name}@${adapter.hash.slice(0, 12)}` }
}
