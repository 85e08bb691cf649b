/**
 * @module Times every request and tells of it when its answer begins: who, what and how it went, and nothing of what was
 * said.
 */
import type { MiddlewareHandler } from "hono"
import type { RequestVariables } from "./request-id.ts"

/** One request, for a log. */
export interface RequestEntry {
  readonly request_id: string
  readonly method: string
  /** Without its query, cut off at 200 characters. */
  readonly path: string
  readonly status: number
  /** Until the answer's head; a stream goes on. */
  readonly ms: number
  /** The name of the key. */
  readonly key: string | null
  readonly tenant: string | null
}

/** Sets `openai-processing-ms`, and tells `log`. */
export function requestLog(log: (entry: RequestEntry) => void): MiddlewareHandler<{ Variables: RequestVariables }> {
  return async (c, next) => {
    const began = performance.now()
    await next()
    const ms = Math.max(0, Math.round(performance.now() - began))
    c.res.headers.set("openai-processing-ms", `${ms}`)
    const key = c.get("key")
    log({
      request_id: c.get("requestId"),
      method: c.req.method,
      path: c.req.path.slice(0, 200),
      status: c.res.status,
      ms,
      key: key?.name ?? null,
      tenant: key?.tenant ?? null,
    })
  }
}
