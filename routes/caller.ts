/**
 * @module Who asks, as the service wants to know it.
 */
import type { Context } from "hono"
import type { Caller } from "../src/service/form-part.ts"
import type { AppTypes } from "./environment.ts"

/** The caller of a request. */
export function callerOf(c: Context<AppTypes>): Caller {
  const idempotencyKey = c.req.header("idempotency-key")
  const tenant = c.get("key")?.tenant ?? null
  return { ...(tenant !== null && { owner: tenant }), ...(idempotencyKey !== undefined && { idempotencyKey }) }
}
