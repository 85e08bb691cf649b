/**
 * @module The HTTP server of Bun.
 */
import type { Fetch, RuntimeServer } from "./http-runtime.ts"

/** Listens with `Bun.serve`. */
export async function serveBun(fetch: Fetch, hostname: string, port: number): Promise<RuntimeServer> {
  const server = Bun.serve({
    hostname,
    port,
    fetch,
    // The default of 10 s hangs up on a stream whose first token is slow.
    idleTimeout: 120,
    // Errors become answers in the app; what comes here is told without its stack.
    error: () => new Response("Internal Server Error", { status: 500 }),
  })
  return {
    port: server.port!,
    drain: () => server.stop(false),
    kill: () => server.stop(true),
  }
}
