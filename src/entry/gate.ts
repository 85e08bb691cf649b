/**
 * @module The door of a server: it listens before its base is loaded and goes on listening after it was told to end, so that
 * whoever spreads requests over servers (an orchestrator, a load balancer) learns of both by /health/ready, over connections
 * of its own, and not by refused ones.
 */
import type { Fetch } from "./http-runtime.ts"

/** What stands between a listener and an app. */
export interface Gate {
  /** Answers 503 until there is an app, but for /health/live. */
  readonly fetch: Fetch
  /** The app is there: everything goes to it. */
  open(app: Fetch): void
  /** The end is near: /health and /health/ready say 503 from now on, all else is answered as before. */
  retire(): void
}

/** A gate that isn't open yet. */
export function createGate(): Gate {
  let app: Fetch | null = null
  let retired = false
  return {
    fetch(request) {
      const { pathname } = new URL(request.url)
      if (!app)
        return pathname === "/health/live" ? Response.json({ status: "ok" }) : unavailable("The base is being loaded")
      if (retired && (pathname === "/health" || pathname === "/health/ready")) return unavailable(SHUTTING_DOWN)
      return app(request)
    },
    open(opened) {
      app = opened
    },
    retire() {
      retired = true
    },
  }
}

/** Why a server that ends takes no request. */
export const SHUTTING_DOWN = "The server is shutting down"

/** 503 with OpenAI's error object: official clients try again after the wait, and reach another server then. */
export function unavailable(message: string): Response {
  const error = { message, type: "server_error", param: null, code: "unavailable" }
  return Response.json({ error }, { status: 503, headers: { connection: "close", "retry-after": "5" } })
}
