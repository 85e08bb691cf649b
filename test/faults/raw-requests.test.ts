/**
 * @module Bytes that are no HTTP, or nearly, over a socket: a server answers with a refusal or hangs up, never with more answers
 * than requests, and goes on answering others.
 */
import { afterAll, expect, test } from "bun:test"
import { connect } from "node:net"
import { type Rng, rng } from "../../src/core/rng.ts"
import { serveBun } from "../../src/entry/http-bun.ts"
import { serveNode } from "../../src/entry/http-node.ts"
import { createFakeApp } from "../support/fake-app.ts"
import { times } from "../support/times.ts"

const requests = times(300)
const TOGETHER = 20
/** A server that has all of a request and says nothing for so long hangs. */
const PATIENCE_MS = 10_000
const closers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closers) await close()
})

const body = '{"model":"base","prompt":"x","max_tokens":2}'
const head = (first: string, ...fields: readonly string[]): string =>
  [first, "Host: 127.0.0.1", ...fields, "", ""].join("\r\n")
const posted = (...fields: readonly string[]): string =>
  head("POST /v1/completions HTTP/1.1", "Content-Type: application/json", "Connection: close", ...fields)

/** Requests that other servers were taken in by. */
const known: Readonly<Record<string, string>> = {
  "two lengths": posted(`Content-Length: ${body.length}`, "Content-Length: 3") + body,
  "a length and chunks": `${posted(`Content-Length: ${body.length}`, "Transfer-Encoding: chunked")}0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n`,
  "a length below 0": posted("Content-Length: -1") + body,
  "a length of 2^64": `${posted("Content-Length: 18446744073709551616")}${body}`,
  "a length in hex": posted("Content-Length: 0x2c") + body,
  "a length with a sign": posted("Content-Length: +44") + body,
  "a chunk below 0": `${posted("Transfer-Encoding: chunked")}-1\r\n${body}\r\n0\r\n\r\n`,
  "a chunk of 2^64": `${posted("Transfer-Encoding: chunked")}ffffffffffffffffff\r\n${body}\r\n0\r\n\r\n`,
  "chunks of no number": `${posted("Transfer-Encoding: chunked")}zz\r\n${body}\r\n0\r\n\r\n`,
  "another coding": `${posted("Transfer-Encoding: gzip, chunked")}0\r\n\r\n`,
  "a coding with a tab": `${posted("Transfer-Encoding:\tchunked\t")}0\r\n\r\n`,
  "a folded field": `GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c: d\r\nConnection: close\r\n\r\n`,
  "a blank before the colon": `GET /health HTTP/1.1\r\nHost : a\r\nConnection: close\r\n\r\n`,
  "a field without a name": `GET /health HTTP/1.1\r\nHost: a\r\n: b\r\nConnection: close\r\n\r\n`,
  "a zero in a field": `GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\nConnection: close\r\n\r\n`,
  "a line feed alone": "GET /health HTTP/1.1\nHost: a\nConnection: close\n\n",
  "no host": "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
  "two hosts": "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
  "a host with a path": "GET /health HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n",
  "a whole address": "GET http://evil.example/v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
  "a star": head("OPTIONS * HTTP/1.1", "Connection: close"),
  "a tunnel": head("CONNECT evil.example:443 HTTP/1.1", "Connection: close"),
  "an unknown method": head("BREW /health HTTP/1.1", "Connection: close"),
  "a method without end": head(`${"A".repeat(20_000)} /health HTTP/1.1`, "Connection: close"),
  "a path without end": head(`GET /${"a".repeat(200_000)} HTTP/1.1`, "Connection: close"),
  "a field without end": head("GET /health HTTP/1.1", `X-A: ${"a".repeat(200_000)}`, "Connection: close"),
  "ten thousand fields": head("GET /health HTTP/1.1", ...Array.from({ length: 10_000 }, (_, i) => `X-${i}: a`)),
  "a version of the past": "GET /health\r\n",
  "a version to come": head("GET /health HTTP/9.9", "Connection: close"),
  "no version": "GET /health\r\nHost: a\r\n\r\n",
  "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "a greeting of TLS": "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
  "an escape cut off": head("GET /v1/models/%E0%A4%A HTTP/1.1", "Connection: close"),
  "a path of bytes": head("GET /v1/models/\xff\xfe HTTP/1.1", "Connection: close"),
  "a key of bytes": head("GET /v1/models HTTP/1.1", "Authorization: Bearer \xff\xfe", "Connection: close"),
  "a body that is cut": posted(`Content-Length: ${body.length}`) + body.slice(0, 10),
  "an upgrade": head("GET /health HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"),
  "an expectation": `${posted("Expect: 200-maybe", `Content-Length: ${body.length}`)}${body}`,
  nothing: "",
  "an empty line": "\r\n\r\n\r\n\r\n",
}

/** A good request with some of its bytes changed, dropped or doubled. */
function spoilt(random: Rng): string {
  const good = posted(`Content-Length: ${body.length}`) + body
  let text = random.below(2) === 0 ? good : head("GET /health HTTP/1.1", "Connection: close")
  for (let i = 0; i < 1 + random.below(4); i++) {
    const at = random.below(text.length)
    const to = at + random.below(12)
    const by = [String.fromCharCode(random.below(256)), "", text.slice(at, to) + text.slice(at, to), "\r\n", "\0"]
    text = text.slice(0, at) + random.pick(by) + text.slice(random.below(2) === 0 ? at + 1 : to)
  }
  return text
}

/** What comes back until the server hangs up. What is sent ends there: a server that waits for more waits in vain. */
function send(port: number, text: string): Promise<{ answer: string; hung: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    let answer = ""
    const finish = (hung: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ answer, hung })
    }
    const timer = setTimeout(() => finish(true), PATIENCE_MS)
    socket.on("connect", () => socket.end(Buffer.from(text, "latin1")))
    socket.on("data", (data) => {
      answer += data.toString("latin1")
    })
    socket.on("error", () => {})
    socket.on("end", () => finish(false))
    socket.on("close", () => finish(false))
  })
}

for (const [name, serve] of [
  ["Bun.serve", serveBun],
  ["node:http", serveNode],
] as const) {
  test(`${name} refuses what is no request, and goes on`, async () => {
    const app = await createFakeApp()
    const server = await serve(app.fetch, "127.0.0.1", 0)
    closers.push(() => server.kill())
    const random = rng(Number(process.env["ESPALIER_SEED"] ?? 1), name)
    const drawn = Array.from({ length: requests }, () => ["drawn", spoilt(random)] as const)
    const all = [...Object.entries(known), ...drawn]
    const wrong: string[] = []
    for (let at = 0; at < all.length; at += TOGETHER)
      await Promise.all(
        all.slice(at, at + TOGETHER).map(async ([what, text]) => {
          const { answer, hung } = await send(server.port, text)
          const told = `${what} ${JSON.stringify(text.slice(0, 300))}: ${JSON.stringify(answer.slice(0, 300))}`
          const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
          if (hung) wrong.push(`hangs: ${told}`)
          if (statuses.some((status) => status >= 500 && status !== 501 && status !== 505)) wrong.push(`fails: ${told}`)
          // What was drawn may well be two requests.
          if (what !== "drawn" && statuses.length > 1 && statuses[0] !== 100) wrong.push(`answers twice: ${told}`)
          if (/\.ts:\d+|node_modules|\bat \S+ \(/.test(answer)) wrong.push(`leaks: ${told}`)
        }),
      )
    expect(wrong).toEqual([])
    expect((await fetch(`http://127.0.0.1:${server.port}/health`)).status).toBe(200)
    expect(app.reported).toEqual([])
    while ((await app.engine.stats()).active > 0) await Bun.sleep(1)
    expect(app.decoder.books.sequences).toBe(0)
  }, 900_000)
}
