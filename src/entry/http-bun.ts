/**
 * @module The HTTP server of Bun.
 */
import { type Fetch, isHost, malformed, type RuntimeServer } from "./http-runtime.ts"

/** Listens with `Bun.serve`. */
export async function serveBun(fetch: Fetch, hostname: string, port: number): Promise<RuntimeServer> {
  const server = Bun.serve({
    hostname,
    port,
    // Bun makes an address of whatever the Host header says, which may be none.
    fetch: (request) =>
      URL.canParse(request.url) && isHost(request.headers.get("host") ?? "localhost") ? fetch(request) : malformed(),
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
