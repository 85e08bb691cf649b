/**
 * @module Answers only requests that name this machine and come from it. A server without a key listens on the loopback
 * address, but a web page could still reach it through the user's browser: by a host name that resolves there (DNS
 * rebinding, as in CVE-2024-28224), or with what browsers send without asking, a form with a file or a POST without a body.
 */
import type { MiddlewareHandler } from "hono"
import { HttpError } from "../errors.ts"

const localNames = new Set(["localhost", "127.0.0.1", "[::1]"])

/**
 * Refuses other hosts, and pages from elsewhere, with 403.
 * @param origins of pages that may call; `*` for any
 */
export function localOnly(origins: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    if (!localNames.has(new URL(c.req.url).hostname)) {
      throw new HttpError(403, "invalid_request", "This server answers requests to localhost only", {
        hint: "Start it with an API key to reach it by another name",
      })
    }
    const origin = c.req.header("origin")
    if (origin !== undefined && !origins.includes("*") && !origins.includes(origin) && !isLocal(origin)) {
      throw new HttpError(403, "invalid_request", "This server answers no web pages from elsewhere", {
        hint: "Start it with --cors-origin to let a page's origin call",
      })
    }
    return next()
  }
}

/** Whether a page lies on this machine; `null` is the origin of pages that have none. */
function isLocal(origin: string): boolean {
  return URL.canParse(origin) && localNames.has(new URL(origin).hostname)
}
