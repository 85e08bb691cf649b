/**
 * @module The HTTP server of Node and Deno: `node:http`, with Web requests and responses. Deno's own server keeps a
 * connection open that never finishes its header or its body (denoland/deno#3515); its `node:http` hangs up on both.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Readable } from "node:stream"
import type { ReadableStream as NodeReadableStream } from "node:stream/web"
import { type Fetch, isHost, malformed, type RuntimeServer } from "./http-runtime.ts"

/** Listens with `node:http`. */
export async function serveNode(fetch: Fetch, hostname: string, port: number): Promise<RuntimeServer> {
  const inFlight = new Set<ServerResponse>()
  let onIdle: () => void = () => {}
  // A slow header or body is no reason to keep a connection; a slow answer is.
  const timeouts = { headersTimeout: 20_000, requestTimeout: 60_000, connectionsCheckingInterval: 5_000 }
  const server = createServer(timeouts, (incoming, outgoing) => {
    inFlight.add(outgoing)
    outgoing.once("close", () => {
      inFlight.delete(outgoing)
      if (inFlight.size === 0) onIdle()
    })
    answer(fetch, incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, hostname, () => resolve())
  })
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    // Node's own callback waits for idle connections to time out, too.
    drain: () =>
      new Promise((resolve) => {
        server.close()
        onIdle = resolve
        if (inFlight.size === 0) resolve()
      }),
    async kill() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function answer(fetch: Fetch, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const controller = new AbortController()
  outgoing.once("close", () => controller.abort())
  const url = urlOf(incoming)
  const response = url === null ? malformed() : await fetch(toRequest(incoming, url, controller.signal))
  outgoing.statusCode = response.status
  for (const [name, value] of response.headers) outgoing.setHeader(name, value)
  if (response.body === null) {
    outgoing.end()
    return
  }
  outgoing.flushHeaders()
  const reader = response.body.getReader()
  // The generation behind a body ends when its reader leaves.
  outgoing.once("close", () => void reader.cancel().catch(() => {}))
  while (true) {
    const { done, value } = await reader.read()
    if (done || outgoing.destroyed) break
    if (!outgoing.write(value)) await drained(outgoing)
  }
  outgoing.end()
}

/** Resolves when the client has read enough, or left. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done)
      outgoing.off("close", done)
      resolve()
    }
    outgoing.once("drain", done)
    outgoing.once("close", done)
  })
}

/**
 * The URL that a request is for, or `null` if its target is none. The host comes from the Host header only: a path that
 * begins with two slashes must not name another.
 */
function urlOf({ url = "/", headers }: IncomingMessage): URL | null {
  const host = headers.host ?? "localhost"
  if (!url.startsWith("/") || !isHost(host)) return null
  const text = `http://${host}${url}`
  // `URL.parse` is not there before Node 22.
  return URL.canParse(text) ? new URL(text) : null
}

function toRequest(incoming: IncomingMessage, url: URL, signal: AbortSignal): Request {
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!)
  }
  const method = incoming.method ?? "GET"
  const hasBody = method !== "GET" && method !== "HEAD"
  const init: RequestInit & { duplex: "half" } = { method, headers, signal, duplex: "half" }
  if (hasBody) {
    const body = Readable.toWeb(incoming) as NodeReadableStream<Uint8Array>
    init.body = body as unknown as ReadableStream<Uint8Array>
  }
  return new Request(url, init)
}
