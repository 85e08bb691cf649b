/**
 * @module Where a server may listen, and how it ends.
 */
import { describe, expect, test } from "bun:test"
import { connect, createServer } from "node:net"
import { EspalierError } from "../../../src/core/errors.ts"
import { serveBun } from "../../../src/entry/http-bun.ts"
import { serveNode } from "../../../src/entry/http-node.ts"
import { checkAddress, type ServeRuntime, serveHttp } from "../../../src/entry/http-server.ts"

describe("checkAddress()", () => {
  test("lets loopback addresses pass, and others only with a key", () => {
    for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
      expect(() => checkAddress(host, false)).not.toThrow()
    for (const host of ["0.0.0.0", "::", "192.168.1.7", "example.org", "127.0.0.1.example.org", ""]) {
      let error: unknown = null
      try {
        checkAddress(host, false)
      } catch (caught) {
        error = caught
      }
      expect(error).toBeInstanceOf(EspalierError)
      expect(error).toMatchObject({ code: "invalid_request", param: "host" })
      expect((error as EspalierError).hint).toContain("--api-key")
      expect(() => checkAddress(host, true)).not.toThrow()
    }
  })
})

const runtimes: readonly [string, ServeRuntime][] = [
  ["Bun.serve", serveBun],
  ["node:http", serveNode],
]
for (const [name, serve] of runtimes) {
  describe(`serveHttp() over ${name}`, () => {
    const options = { port: 0, authenticated: false, serve }

    test("listens on 127.0.0.1 and answers", async () => {
      const server = await serveHttp(
        async (request) => Response.json({ path: new URL(request.url).pathname, body: await request.text() }),
        options,
      )
      expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
      const response = await fetch(`${server.url}/some/path`, { method: "POST", body: "text" })
      expect(await response.json()).toEqual({ path: "/some/path", body: "text" })
      await server.close()
      await expect(fetch(server.url)).rejects.toThrow()
    })

    test("takes the host from the Host header, whatever the path looks like", async () => {
      const server = await serveHttp((request) => new Response(request.url), options)
      const urlFor = (target: string, host: string): Promise<string> =>
        new Promise((resolve, reject) => {
          const socket = connect(server.port, "127.0.0.1", () => {
            socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
          })
          let text = ""
          socket.on("data", (data) => {
            text += data
          })
          socket.on("error", reject)
          socket.on("close", () => resolve(text))
        })
      expect(await urlFor("//127.0.0.1/v1/models", "evil.example")).toContain(
        "http://evil.example//127.0.0.1/v1/models",
      )
      expect(await urlFor("/a", "127.0.0.1:1")).toContain("http://127.0.0.1:1/a")
      expect(await urlFor("/a", "127.0.0.1@evil.example")).not.toContain("http://127.0.0.1/")
      expect((await fetch(server.url)).status).toBe(200)
      await server.close()
    })

    test("refuses an open address without a key before it listens", async () => {
      await expect(serveHttp(() => new Response(), { ...options, host: "0.0.0.0" })).rejects.toMatchObject({
        code: "invalid_request",
      })
    })

    test("says that a port is taken", async () => {
      const blocker = createServer()
      await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", () => resolve()))
      const { port } = blocker.address() as { port: number }
      await expect(serveHttp(() => new Response(), { ...options, port })).rejects.toMatchObject({
        code: "conflict",
        message: `Could not listen on 127.0.0.1, port ${port}`,
      })
      blocker.close()
    })

    /** A server with one stream that ends when the test says so. */
    async function streaming() {
      let finish: () => void = () => {}
      let cancelled = false
      const handler = (request: Request): Response => {
        if (!request.url.endsWith("/stream")) return new Response("plain")
        const body = new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("first "))
            finish = () => {
              controller.enqueue(new TextEncoder().encode("last"))
              controller.close()
            }
          },
          cancel() {
            cancelled = true
          },
        })
        return new Response(body)
      }
      const server = await serveHttp(handler, options)
      const response = await fetch(`${server.url}/stream`)
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      expect((await reader.read()).value).toBe("first ")
      return { server, reader, finish: () => finish(), wasCancelled: () => cancelled }
    }

    test("lets a stream end before it closes, and refuses what comes meanwhile", async () => {
      const { server, reader, finish } = await streaming()
      let closed = false
      const closing = server.close().then(() => {
        closed = true
      })
      const late = await fetch(server.url).then(
        (response) => response.status,
        () => "refused",
      )
      expect(["refused", 503]).toContain(late)
      expect(closed).toBe(false)
      finish()
      expect((await reader.read()).value).toBe("last")
      expect((await reader.read()).done).toBe(true)
      await closing
    })

    test("hangs up on a stream that outlasts its grace", async () => {
      const { server, reader, wasCancelled } = await streaming()
      await server.close(20)
      await expect(reader.read()).rejects.toThrow()
      while (!wasCancelled()) await Bun.sleep(1)
    })

    test("hangs up at once without grace", async () => {
      const { server, wasCancelled } = await streaming()
      await server.close(0)
      while (!wasCancelled()) await Bun.sleep(1)
    })
  })
}
