/**
 * @module One listening server on whichever runtime this is: the interface, the address rule and the choice.
 */
import { EspalierError } from "../core/errors.ts"
import { SHUTTING_DOWN, unavailable } from "./gate.ts"
import { serveBun } from "./http-bun.ts"
import { serveNode } from "./http-node.ts"
import type { Fetch, RuntimeServer, ServeRuntime } from "./http-runtime.ts"
import { isLoopback } from "./loopback.ts"
import { turnstile } from "./turnstile.ts"

export type { ServeRuntime }

/** Where to listen, and whether just anybody is answered. */
export interface ListenOptions {
  /** @default {"127.0.0.1"} */
  readonly host?: string
  /** 0 picks a free one. @default {8000} */
  readonly port?: number
  /** The app asks for an API key: only then may it listen on other than a loopback address. */
  readonly authenticated: boolean
  /** Listens; by default as the runtime of this program does. */
  readonly serve?: ServeRuntime
}

/** A server that listens. */
export interface HttpServer {
  readonly host: string
  readonly port: number
  /** `http://host:port`. */
  readonly url: string
  /**
   * Refuses new requests, lets those in flight end, and hangs up on what is left after `graceMs`.
   * @param graceMs 0 hangs up at once. @default {30000}
   */
  close(graceMs?: number): Promise<void>
}

/**
 * Listens for `fetch` on Bun, Deno or Node.
 * @throws {EspalierError} `invalid_request` for an open address without a key, `conflict` if the port is taken
 */
export async function serveHttp(fetch: Fetch, options: ListenOptions): Promise<HttpServer> {
  const host = options.host ?? "127.0.0.1"
  const port = options.port ?? 8000
  checkAddress(host, options.authenticated)
  let closing = false
  const serve = options.serve ?? ("Bun" in globalThis ? serveBun : serveNode)
  const oneByOne = turnstile(fetch)
  const guarded: Fetch = (request) => (closing ? unavailable(SHUTTING_DOWN) : oneByOne(request))
  let server: RuntimeServer
  try {
    server = await serve(guarded, host, port)
  } catch (cause) {
    throw new EspalierError("conflict", `Could not listen on ${host}, port ${port}`, {
      hint: "Choose another port, or end what listens there",
      param: "port",
      cause,
    })
  }
  return {
    host,
    port: server.port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    async close(graceMs = 30_000) {
      closing = true
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs)
      })
      if (graceMs > 0) await Promise.race([server.drain(), late])
      clearTimeout(timer)
      await server.kill()
    },
  }
}

/** @throws {EspalierError} `invalid_request` for an address that others can reach, unless they need a key. */
export function checkAddress(host: string, authenticated: boolean): void {
  if (authenticated || host === "localhost" || isLoopback(host)) return
  throw new EspalierError(
    "invalid_request",
    `Listening on ${host} would open this server to others without an API key`,
    {
      hint: "Set an API key (--api-key), or listen on 127.0.0.1",
      param: "host",
    },
  )
}
