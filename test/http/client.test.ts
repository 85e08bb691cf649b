/**
 * @module The typed client against a live server: routes, streams, errors and keys, and the example as it stands.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { type Client, createClient, readStream } from "espalier/client"
import { serveBun } from "../../src/entry/http-bun.ts"
import type { JobEventObject } from "../../src/service/jobs-wire.ts"
import { createFakeApp, type FakeApp, type FakeAppOptions } from "../support/fake-app.ts"

const closers: (() => Promise<unknown> | undefined)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

async function listen(options: FakeAppOptions = {}): Promise<{ app: FakeApp; url: string; client: Client }> {
  const app = await createFakeApp({ adapters: ["support"], ...options })
  const server = await serveBun(app.fetch, "127.0.0.1", 0)
  closers.push(() => server.kill())
  const url = `http://127.0.0.1:${server.port}`
  const { apiKey } = options
  return { app, url, client: createClient(url, apiKey === undefined ? {} : { apiKey }) }
}

const messages = [{ role: "user" as const, content: "hi" }]

describe("the client", () => {
  test("lists, retrieves, loads and unloads by typed paths", async () => {
    const { client } = await listen({ apiKey: "sk-test" })
    const { data } = await (await client.v1.models.$get()).json()
    expect(data.map(({ id, parent }) => [id, parent])).toEqual([
      ["base", null],
      ["support", "base"],
    ])
    const loaded = await client.v1.adapters.$post({ json: { name: "new", path: "new" } })
    expect([loaded.status, (await loaded.json()).id]).toEqual([201, "new"])
    const param = { name: "new" }
    expect((await (await client.v1.adapters[":name"].$get({ param })).json()).method).toBe("fake")
    expect((await (await client.v1.adapters[":name"].$delete({ param })).json()).deleted).toBe(true)
    const card = await client.v1.models[":id{.+}"].$get({ param: { id: "support" } })
    expect((await card.json()).root).toBe("support")
    expect((await (await client.health.$get()).json()).status).toBe("ok")
  })

  test("streams what it would answer whole", async () => {
    const { client } = await listen()
    const json = { model: "support", messages, temperature: 0, max_tokens: 24 }
    const whole = await (await client.v1.chat.completions.$post({ json })).json()
    let text = ""
    for await (const { choices } of readStream(
      await client.v1.chat.completions.$post({ json: { ...json, stream: true } }),
    )) {
      text += choices[0]?.delta.content ?? ""
    }
    expect(text).toBe(whole.choices[0]!.message.content!)
    expect(text).toHaveLength(24)
    const { usage } = await (await client.v1.completions.$post({ json: { model: "base", prompt: "x" } })).json()
    expect(usage?.completion_tokens).toBe(16)
  })

  test("tells of a refusal, and of a stream that breaks", async () => {
    const { client, url } = await listen({
      apiKey: "sk-test",
      beforeAppend(_added, { tokens }) {
        if (tokens.length > 25) throw new Error("secret")
      },
    })
    const json = { model: "base", messages, max_tokens: 40, stream: true }
    const read = async (from: Client, body: typeof json): Promise<number> => {
      let pieces = 0
      for await (const _ of readStream(await from.v1.chat.completions.$post({ json: body }))) pieces++
      return pieces
    }
    await expect(read(createClient(url), json)).rejects.toThrow("needs an API key")
    await expect(read(client, { ...json, model: "nobody" })).rejects.toThrow('"nobody" does not exist')
    await expect(read(client, json)).rejects.toThrow("The server failed at this request")
  })

  test("reads other streams by their type", async () => {
    const event = { id: "ftevent-1", message: "one" }
    const response = new Response(`: wait\n\ndata: ${JSON.stringify(event)}\n\ndata: [DONE]\n\n`)
    const seen: string[] = []
    for await (const { message } of readStream<JobEventObject>(response)) seen.push(message)
    expect(seen).toEqual(["one"])
  })
})

test("the example runs as it stands", async () => {
  const { url } = await listen()
  const child = Bun.spawn([process.execPath, "run", "examples/client.ts", url], { stdout: "pipe", stderr: "pipe" })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  expect(err).toBe("")
  const [models, whole, streamed] = out.split("\n")
  expect([models, whole?.length, streamed?.length]).toEqual(["base, support", 32, 32])
})
