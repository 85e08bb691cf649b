/**
 * @module Answers only requests that name this machine. A server without a key listens on the loopback address, but a
 * web page could still reach it through the user's browser by a host name that resolves there (DNS rebinding, as in
 * CVE-2024-28224).
 */
import type { MiddlewareHandler } from "hono"
import { HttpError } from "../errors.ts"

const localNames = new Set(["localhost", "127.0.0.1", "[::1]"])

/** Refuses other hosts with 403. */
export function localOnly(): MiddlewareHandler {
  return async (c, next) => {
    if (!localNames.has(new URL(c.req.url).hostname)) {
      throw new HttpError(403, "invalid_request", "This server answers requests to localhost only", {
        hint: "Start it with an API key to reach it by another name",
      })
    }
    return next()
  }
}
