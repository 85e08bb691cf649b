/**
 * @module Gives every answer an `x-request-id`: the client's own if it is a plain one, a fresh one otherwise.
 */
import type { MiddlewareHandler } from "hono"
import type { KeyFacts } from "../../src/service/keyring.ts"

/** What middleware leaves for the routes. */
export interface RequestVariables {
  requestId: string
  /** The key that was sent; without keys there is none. */
  key?: KeyFacts
}

const plain = /^[A-Za-z0-9_-]{1,64}$/

/** Sets the variable `requestId` and the header. */
export function requestId(): MiddlewareHandler<{ Variables: RequestVariables }> {
  return async (c, next) => {
    const given = c.req.header("x-request-id") ?? ""
    const id = plain.test(given) ? given : `req_${crypto.randomUUID().replaceAll("-", "")}`
    c.set("requestId", id)
    await next()
    c.res.headers.set("x-request-id", id)
  }
}
