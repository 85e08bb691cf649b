/**
 * @module The official `openai` client against a server that listens, through Bun's HTTP server and through `node:http`.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { createServer } from "node:net"
import OpenAI, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from "openai"
import { serveBun } from "../../src/entry/http-bun.ts"
import { serveNode } from "../../src/entry/http-node.ts"
import { readKeyring } from "../../src/service/keyring.ts"
import { createFakeApp, type FakeApp, type FakeAppOptions } from "../support/fake-app.ts"

const apiKey = "sk-local"
const closers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closers) await close()
})

for (const [runtime, serve] of [
  ["Bun.serve", serveBun],
  ["node:http", serveNode],
] as const) {
  const listen = async (options: FakeAppOptions = {}): Promise<{ app: FakeApp; client: OpenAI; url: string }> => {
    const app = await createFakeApp({ apiKey, adapters: ["support"], ...options })
    const server = await serve(app.fetch, "127.0.0.1", 0)
    closers.push(() => server.kill())
    const url = `http://127.0.0.1:${server.port}`
    return { app, url, client: new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 }) }
  }
  const messages = [{ role: "user" as const, content: "hi" }]

  const failure = async (promise: Promise<unknown>): Promise<InstanceType<typeof APIError>> => {
    const error = await promise.then(
      () => null,
      (reason) => reason,
    )
    expect(error).toBeInstanceOf(APIError)
    expect(error.requestID).toMatch(/^req_/)
    return error
  }

  describe(`openai client over ${runtime}`, () => {
    test("lists and retrieves models", async () => {
      const { client } = await listen()
      const ids: string[] = []
      for await (const model of client.models.list()) ids.push(model.id)
      expect(ids).toEqual(["base", "support"])
      expect((await client.models.retrieve("support")).id).toBe("support")
    })

    test("chats, whole and streamed, with the same words", async () => {
      const { client } = await listen()
      const request = { model: "support", messages, temperature: 0, max_tokens: 24 }
      const whole = await client.chat.completions.create(request)
      expect(whole._request_id).toMatch(/^req_/)
      const { data, response } = await client.chat.completions
        .create({ ...request, stream: true, stream_options: { include_usage: true } })
        .withResponse()
      expect(response.headers.get("x-espalier-adapter")).toMatch(/^support@[0-9a-f]{12}$/)
      let text = ""
      let usage: unknown = null
      for await (const chunk of data) {
        text += chunk.choices[0]?.delta.content ?? ""
        usage = chunk.usage ?? usage
      }
      expect(text).toBe(whole.choices[0]!.message.content!)
      expect(text).toHaveLength(24)
      expect(usage).toEqual(whole.usage)
    })

    test("runs its own stream helper to a final message", async () => {
      const { client } = await listen()
      const stream = client.chat.completions.stream({ model: "base", messages, max_tokens: 9, logprobs: true })
      const final = await stream.finalChatCompletion()
      expect(final.choices[0]!.message.content).toHaveLength(9)
      expect(final.choices[0]!.logprobs!.content).toHaveLength(9)
    })

    test("completes texts, whole and streamed", async () => {
      const { client } = await listen()
      const request = { model: "base", prompt: "x", temperature: 0, max_tokens: 7 }
      const whole = await client.completions.create(request)
      let text = ""
      for await (const chunk of await client.completions.create({ ...request, stream: true }))
        text += chunk.choices[0]!.text
      expect(text).toBe(whole.choices[0]!.text)
    })

    test("throws its own error class for each of our errors", async () => {
      const { client, url } = await listen({ scheduler: { maxActive: 1, maxWaiting: 1 } })
      const ask = (fields: object): Promise<unknown> =>
        client.chat.completions.create({ model: "base", messages, max_tokens: 2, ...fields })
      const bad = await failure(ask({ temperature: 9 }))
      expect(bad).toBeInstanceOf(BadRequestError)
      expect(bad.param).toBe("temperature")
      expect(bad.type).toBe("invalid_request_error")
      const missing = await failure(ask({ model: "nobody" }))
      expect(missing).toBeInstanceOf(NotFoundError)
      expect(missing.code).toBe("model_not_found")
      expect(missing.message).toContain("base, support")
      const stranger = new OpenAI({ apiKey: "sk-wrong", baseURL: `${url}/v1`, maxRetries: 0 })
      expect(await failure(stranger.models.list())).toBeInstanceOf(AuthenticationError)
      const taken = client.post("/adapters", { body: { name: "support", path: "x" } })
      expect(await failure(taken)).toBeInstanceOf(ConflictError)
      const crowd = await Promise.allSettled(Array.from({ length: 6 }, () => ask({ max_tokens: 400 })))
      const refused = crowd.flatMap((result) => (result.status === "rejected" ? [result.reason] : []))
      expect(refused).toHaveLength(4)
      for (const error of refused) expect(error).toBeInstanceOf(RateLimitError)
    })

    test("throws its own error class for keys that may not, for patience that ends and for servers that are gone", async () => {
      const sha256 = createHash("sha256").update(apiKey).digest("hex")
      const keyring = readKeyring({ keys: [{ name: "reader", sha256, scopes: ["infer"] }] })
      let open: () => void = () => {}
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const { client, url, app } = await listen({ keyring, beforeAppend: () => gate })
      const forbidden = await failure(client.fineTuning.jobs.list())
      expect(forbidden).toBeInstanceOf(PermissionDeniedError)
      expect([forbidden.status, forbidden.type]).toEqual([403, "permission_error"])
      const request = { model: "base", messages, max_tokens: 2 }
      const thrown = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)
      const hasty = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0, timeout: 30 })
      expect(await thrown(hasty.chat.completions.create(request))).toBeInstanceOf(APIConnectionTimeoutError)
      const controller = new AbortController()
      const left = thrown(client.chat.completions.create(request, { signal: controller.signal }))
      controller.abort()
      expect(await left).toBeInstanceOf(APIUserAbortError)
      open()
      while ((await app.engine.stats()).active > 0) await Bun.sleep(1)
      const nobody = createServer()
      await new Promise<void>((resolve) => nobody.listen(0, "127.0.0.1", () => resolve()))
      const { port } = nobody.address() as { port: number }
      await new Promise((resolve) => nobody.close(resolve))
      const gone = new OpenAI({ apiKey, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 })
      expect(await thrown(gone.models.list())).toBeInstanceOf(APIConnectionError)
    })

    test("throws what breaks a stream, and what breaks a whole answer", async () => {
      const { client } = await listen({
        beforeAppend(_added, { tokens }) {
          if (tokens.length > 25) throw new Error("secret")
        },
      })
      const request = { model: "base", messages, max_tokens: 40 }
      expect(await failure(client.chat.completions.create(request))).toBeInstanceOf(InternalServerError)
      const stream = await client.chat.completions.create({ ...request, stream: true })
      let text = ""
      const drain = async (): Promise<void> => {
        for await (const chunk of stream) text += chunk.choices[0]!.delta.content ?? ""
      }
      await expect(drain()).rejects.toBeInstanceOf(APIError)
      expect(text).toHaveLength(6)
    })

    test("frees what a client leaves in the middle of a stream", async () => {
      const { client, app } = await listen({ beforeAppend: () => Bun.sleep(0) })
      const stream = await client.chat.completions.create({ model: "base", messages, max_tokens: 3900, stream: true })
      for await (const _ of stream) break
      while ((await app.engine.stats()).active > 0) await Bun.sleep(2)
      expect(app.decoder.books.sequences).toBe(0)
      expect((await app.engine.stats()).aborted).toBe(1)
    })

    test("frees what a client stops waiting for", async () => {
      const { client, app } = await listen({ beforeAppend: () => Bun.sleep(0) })
      const controller = new AbortController()
      const request = { model: "base", messages, max_tokens: 3900 }
      const answer = client.chat.completions.create(request, { signal: controller.signal })
      answer.catch(() => {})
      while ((await app.engine.stats()).active === 0) await Bun.sleep(1)
      controller.abort()
      while ((await app.engine.stats()).active > 0) await Bun.sleep(2)
      expect((await app.engine.stats()).aborted).toBe(1)
    })

    test("refuses an oversized body, with a length and in chunks", async () => {
      const { url } = await listen({ maxBodyBytes: 1000 })
      const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" }
      const big = new TextEncoder().encode(JSON.stringify({ model: "base", prompt: "x".repeat(5000) }))
      const chunks = new ReadableStream({
        start(controller) {
          for (let i = 0; i < big.length; i += 100) controller.enqueue(big.subarray(i, i + 100))
          controller.close()
        },
      })
      for (const body of [big, chunks]) {
        const response = await fetch(`${url}/v1/completions`, {
          method: "POST",
          headers,
          body,
          duplex: "half",
        } as RequestInit)
        expect(response.status).toBe(413)
        expect((await response.json()).error.code).toBe("too_large")
      }
      expect((await fetch(`${url}/health`)).status).toBe(200)
    })
  })
}

test("openai client gets over a full queue by its own retries", async () => {
  const app = await createFakeApp({ scheduler: { maxActive: 2, maxWaiting: 4 } })
  const server = await serveBun(app.fetch, "127.0.0.1", 0)
  closers.push(() => server.kill())
  const client = new OpenAI({ apiKey, baseURL: `http://127.0.0.1:${server.port}/v1`, maxRetries: 5 })
  const request = { model: "base", prompt: "x", max_tokens: 30 }
  const answers = await Promise.all(Array.from({ length: 8 }, () => client.completions.create(request)))
  expect(answers.map((answer) => answer.choices[0]!.text.length)).toEqual(Array(8).fill(30))
})
