/**
 * @module HTTP written to a socket by hand: as many connections at once as a client likes (the runtimes' own clients let only
 * some through), and an answer that ends too early is told from one that is whole.
 */
import { connect, type Socket } from "node:net"

/** What came back. */
export interface RawReply {
  /** `whole`; `broken` if the connection ended within it, or before it began; `hung` if nothing ended it in time. */
  readonly end: "whole" | "broken" | "hung"
  /** 0 if there was none. */
  readonly status: number
  /** Everything that came, its head too. */
  readonly text: string
  /** Milliseconds to its end. */
  readonly ms: number
}

/** What is sent. */
export interface RawRequest {
  readonly url: string
  readonly path: string
  /** @default {"POST"} with a body, GET without one */
  readonly method?: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Until it counts as hung. @default {60000} */
  readonly timeoutMs?: number
  /** Gets the socket as soon as it is open; destroying it is leaving. */
  readonly onOpen?: (socket: Socket) => void
}

/** Sends one request over a connection of its own, its path as it is. */
export function sendRaw(request: RawRequest): Promise<RawReply> {
  const { url, path, body, headers = {}, timeoutMs = 60_000, onOpen } = request
  const { hostname, port } = new URL(url)
  const method = request.method ?? (body === undefined ? "GET" : "POST")
  const payload = body === undefined ? null : JSON.stringify(body)
  const began = performance.now()
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) })
    let text = ""
    const finish = (end: RawReply["end"]): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ end, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text, ms: performance.now() - began })
    }
    const timer = setTimeout(() => finish("hung"), timeoutMs)
    const fields = {
      host: `${hostname}:${port}`,
      connection: "close",
      ...(payload !== null && {
        "content-type": "application/json",
        "content-length": String(new TextEncoder().encode(payload).length),
      }),
      ...headers,
    }
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.setEncoding("utf8")
    socket.on("connect", () => {
      onOpen?.(socket)
      socket.write(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n${payload ?? ""}`)
    })
    socket.on("data", (part) => {
      text += part
      if (isWhole(text, method)) finish("whole")
    })
    socket.on("error", () => {})
    socket.on("close", () => finish(isWhole(text, method) ? "whole" : "broken"))
  })
}

/** Whether an answer has its end: of a body in chunks the last one, of a stream of events its last event too. */
function isWhole(text: string, method: string): boolean {
  const split = text.indexOf("\r\n\r\n")
  if (split < 0) return false
  if (method === "HEAD" || /^HTTP\/1\.1 (204|304)/.test(text)) return true
  const head = text.slice(0, split).toLowerCase()
  const body = text.slice(split + 4)
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1]
  if (length !== undefined) return new TextEncoder().encode(body).length >= Number(length)
  if (!body.endsWith("0\r\n\r\n")) return false
  return !head.includes("\r\ncontent-type: text/event-stream") || body.includes("data: [DONE]\n\n")
}
