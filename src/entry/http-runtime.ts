/**
 * @module What each runtime's HTTP server does for the one that the program sees.
 */

/** Answers one request. */
export type Fetch = (request: Request) => Response | Promise<Response>

/** A server as a runtime has it. */
export interface RuntimeServer {
  readonly port: number
  /** Accepts no more connections; resolves when the last answer has been sent. */
  drain(): Promise<void>
  /** Hangs up on everybody. */
  kill(): Promise<void>
}

/** Listens with one runtime's server. */
export type ServeRuntime = (fetch: Fetch, hostname: string, port: number) => Promise<RuntimeServer>

/** Whether a Host header may stand in an address: only then does its path mean what the request's own says. */
export const isHost = (host: string): boolean => /^[\w.:[\]-]+$/.test(host)

/** Answers a request whose target or host is none. */
export function malformed(): Response {
  const error = {
    message: "The request's target or its Host header is malformed",
    type: "invalid_request_error",
    param: null,
    code: "invalid_request",
  }
  return Response.json({ error }, { status: 400 })
}
