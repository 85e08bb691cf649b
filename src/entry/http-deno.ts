/**
 * @module The HTTP server of Deno.
 */
import type { Fetch, RuntimeServer } from "./http-runtime.ts"

interface DenoServer {
  readonly addr: { readonly port: number }
  shutdown(): Promise<void>
  readonly finished: Promise<void>
}

interface DenoHttp {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen: () => void },
    handler: Fetch,
  ): DenoServer
}

/** Listens with `Deno.serve`. */
export async function serveDeno(fetch: Fetch, hostname: string, port: number): Promise<RuntimeServer> {
  const { Deno } = globalThis as unknown as { readonly Deno: DenoHttp }
  const controller = new AbortController()
  const server = Deno.serve({ hostname, port, signal: controller.signal, onListen: () => {} }, fetch)
  return {
    port: server.addr.port,
    drain: () => server.shutdown(),
    async kill() {
      controller.abort()
      await server.finished
    },
  }
}
