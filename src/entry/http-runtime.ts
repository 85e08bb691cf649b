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
