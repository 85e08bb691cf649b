/**
 * @module `response_format`: answers that parse and fit, whatever the model would rather say; over the fake engine, over a
 * base of random weights and over the embedded one, by the official client.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import OpenAI from "openai"
import { createApp } from "../../routes/app.ts"
import { serveBun } from "../../src/entry/http-bun.ts"
import { openEngine } from "../../src/presets/open-engine.ts"
import { createService } from "../../src/service/service.ts"
import { createFakeApp, readEvents } from "../support/fake-app.ts"
import { fakeEos } from "../support/fake-tokenizer.ts"
import { fitsSchema } from "../support/fits-schema.ts"
import { sprigFolder } from "../support/sprig.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const messages = [{ role: "user" as const, content: "Answer in JSON: what colour is the sky?" }]
const schema = {
  type: "object",
  properties: {
    colour: { type: "string", maxLength: 8 },
    kind: { enum: ["noun", "verb"] },
    bright: { type: "boolean" },
    near: { type: "array", items: { type: "string", maxLength: 3 }, maxItems: 2 },
  },
  required: ["colour", "kind", "bright", "near"],
  additionalProperties: false,
}
const asked = { type: "json_schema" as const, json_schema: { name: "sky", strict: true, schema } }

const closers: (() => Promise<unknown> | undefined)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

describe("over the fake engine", () => {
  test("an answer fits though the model only knows letters, and n answers each by itself", async () => {
    const app = await createFakeApp()
    const response = await app.post("/v1/chat/completions", {
      model: "base",
      messages,
      n: 4,
      seed: 3,
      max_tokens: 400,
      response_format: asked,
    })
    expect(response.status).toBe(200)
    const { choices } = await response.json()
    for (const { message, finish_reason } of choices) {
      expect(finish_reason).toBe("stop")
      expect(fitsSchema(JSON.parse(message.content), schema)).toBe(true)
    }
    expect(new Set(choices.map((choice: { message: { content: string } }) => choice.message.content)).size).toBe(4)
    expect(app.decoder.books.sequences).toBe(0)
  })

  test("a stream says the same, and the token limit cuts with length", async () => {
    const app = await createFakeApp()
    const body = { model: "base", messages, seed: 5, max_tokens: 400, response_format: asked }
    const whole = await (await app.post("/v1/chat/completions", body)).json()
    const events = await readEvents(await app.post("/v1/chat/completions", { ...body, stream: true }))
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event).choices[0])
    expect(chunks.map(({ delta }) => delta.content ?? "").join("")).toBe(whole.choices[0].message.content)
    expect(chunks.at(-1).finish_reason).toBe("stop")
    const cut = await (await app.post("/v1/chat/completions", { ...body, max_tokens: 5 })).json()
    expect(cut.choices[0].finish_reason).toBe("length")
    expect(whole.choices[0].message.content).toStartWith(cut.choices[0].message.content)
  })

  test("a model that would end at once ends where the value is whole, with a lead that is not shown", async () => {
    const app = await createFakeApp({ next: (tokens) => (tokens.at(-1) === 123 ? 125 : fakeEos), lead: " " })
    const body = { model: "base", messages, temperature: 0, max_tokens: 50, response_format: { type: "json_object" } }
    const { choices } = await (await app.post("/v1/chat/completions", body)).json()
    expect(JSON.parse(choices[0].message.content)).toBeObject()
    const number = { type: "json_schema", json_schema: { name: "n", schema: { type: "integer" } } }
    const counted = await (await app.post("/v1/chat/completions", { ...body, response_format: number })).json()
    expect(counted.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { content: expect.stringMatching(/^-?\d$/) },
    })
  })

  test("text is free, and JSON without the word is refused as OpenAI does", async () => {
    const app = await createFakeApp()
    const hi = [{ role: "user", content: "hi" }]
    const body = { model: "base", messages: hi, max_tokens: 4, temperature: 0 }
    const free = await (await app.post("/v1/chat/completions", body)).json()
    const text = await (await app.post("/v1/chat/completions", { ...body, response_format: { type: "text" } })).json()
    expect(text.choices).toEqual(free.choices)
    const refused = await app.post("/v1/chat/completions", { ...body, response_format: { type: "json_object" } })
    expect(refused.status).toBe(400)
    expect((await refused.json()).error).toMatchObject({ param: "messages", type: "invalid_request_error" })
  })

  test("a reader who leaves ends the generation and nothing is held", async () => {
    const { engine, decoder } = await createFakeApp()
    const { events } = await engine.generate({
      prompts: [{ text: "x" }],
      adapter: null,
      format: { type: "json_schema", schema: { type: "string", minLength: 3000 } },
      maxTokens: 3000,
    })
    for await (const _ of events) break
    await engine.close()
    expect(decoder.books.sequences).toBe(0)
  })
})

describe("over a real base, by the official client", () => {
  const clientOf = async (base: string): Promise<OpenAI> => {
    const engine = await openEngine({ base, backend: "native", threads: 1 })
    closers.push(() => engine.close())
    const app = createApp(createService({ engine }))
    const server = await serveBun(app.fetch, "127.0.0.1", 0)
    closers.push(() => server.kill())
    return new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.port}/v1`, maxRetries: 0 })
  }

  test("random weights write what fits", async () => {
    const folder = mkdtempSync(join(tmpdir(), "espalier-format-"))
    closers.push(async () => rmSync(folder, { recursive: true, force: true }))
    writeTinyBase(folder, 1)
    const client = await clientOf(folder)
    const [model] = (await client.models.list()).data
    const small = {
      type: "object",
      properties: { kind: { enum: ["a", "b"] }, on: { type: "boolean" } },
      required: ["kind", "on"],
      additionalProperties: false,
    }
    const { choices } = await client.chat.completions.create({
      model: model!.id,
      messages: [{ role: "user", content: "Sky?" }],
      n: 8,
      temperature: 2,
      seed: 1,
      response_format: { type: "json_schema", json_schema: { name: "small", schema: small } },
    })
    for (const { message, finish_reason } of choices) {
      expect(finish_reason).toBe("stop")
      expect(fitsSchema(JSON.parse(message.content!), small)).toBe(true)
    }
  }, 60_000)

  test("the embedded base answers by a schema that the client's parse helper reads", async () => {
    const client = await clientOf(sprigFolder)
    const [model] = (await client.models.list()).data
    const answer = await client.chat.completions.parse({
      model: model!.id,
      messages: [{ role: "user", content: "What colour is the sky?" }],
      temperature: 0,
      max_tokens: 200,
      response_format: asked,
    })
    expect(answer.choices[0]!.finish_reason).toBe("stop")
    expect(fitsSchema(JSON.parse(answer.choices[0]!.message.content!), schema)).toBe(true)
  }, 60_000)
})
