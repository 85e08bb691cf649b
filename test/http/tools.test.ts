/**
 * @module Tools of chat requests: into the template, out of answers, whole and streamed, chosen, forced, answered; and
 * refused by name where a base knows none. Also by the official client.
 */
import { afterAll, describe, expect, test } from "bun:test"
import OpenAI from "openai"
import { serveBun } from "../../src/entry/http-bun.ts"
import { createFakeApp, type FakeApp, readEvents } from "../support/fake-app.ts"
import { fakeEos, fakeMark } from "../support/fake-tokenizer.ts"
import { fitsSchema } from "../support/fits-schema.ts"

const parameters = {
  type: "object",
  properties: { city: { type: "string", maxLength: 6 }, days: { enum: [1, 2, 3] } },
  required: ["city", "days"],
  additionalProperties: false,
}
const weather = { type: "function" as const, function: { name: "weather", description: "The weather", parameters } }
const clock = { type: "function" as const, function: { name: "clock" } }
const tools = [weather, clock]
const messages = [{ role: "user" as const, content: "How warm is it in Ulm?" }]
const body = { model: "base", messages, tools, temperature: 0, max_tokens: 400 }

const closers: (() => Promise<unknown> | undefined)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** An app whose base knows tools and says `text`. */
const saying = (text: string, prompts: string[] = []): Promise<FakeApp> => {
  const bytes = [...new TextEncoder().encode(text)]
  return createFakeApp({
    tools: true,
    next: (tokens) => {
      const written = tokens.length - tokens.lastIndexOf(fakeMark) - 1 - "assistant:".length
      if (written === 0) {
        prompts.push(new TextDecoder().decode(Uint8Array.from(tokens.map((id) => (id < 256 ? id : 0x7c)))))
      }
      return bytes[written] ?? fakeEos
    },
  })
}

const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm", "days": 1}}\n</tool_call>'
const told = { name: "weather", arguments: '{"city":"Ulm","days":1}' }

describe("auto", () => {
  test("a call is taken out of the answer, whose tools the template was given", async () => {
    const prompts: string[] = []
    const app = await saying(`I'll look.\n${call}`, prompts)
    const { choices } = await (await app.post("/v1/chat/completions", body)).json()
    expect(choices[0].finish_reason).toBe("tool_calls")
    expect(choices[0].message).toEqual({
      role: "assistant",
      content: "I'll look.",
      refusal: null,
      tool_calls: [{ id: expect.stringMatching(/^call_\w{24}$/), type: "function", function: told }],
    })
    expect(prompts[0]).toContain('|system:[{"type":"function","function":{"name":"weather","description":"The weather"')
    expect(prompts[0]).toContain('"enum":[1,2,3]')
  })

  test("a call alone has no content, two calls are two, and a text without any is a text", async () => {
    const two = await saying(`${call}\n${call}`)
    const { message } = (await (await two.post("/v1/chat/completions", body)).json()).choices[0]
    expect(message.content).toBeNull()
    expect(message.tool_calls.map((each: { function: object }) => each.function)).toEqual([told, told])
    expect(new Set(message.tool_calls.map(({ id }: { id: string }) => id)).size).toBe(2)
    const none = await saying("About 20 <degrees>.")
    const free = (await (await none.post("/v1/chat/completions", body)).json()).choices[0]
    expect(free).toMatchObject({ finish_reason: "stop", message: { content: "About 20 <degrees>." } })
    expect("tool_calls" in free.message).toBe(false)
  })

  test("a stream tells the text at once and the call whole", async () => {
    const app = await saying(`I'll look.\n${call}`)
    const events = await readEvents(await app.post("/v1/chat/completions", { ...body, stream: true }))
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event).choices[0])
    expect(chunks.map(({ delta }) => delta.content ?? "").join("")).toBe("I'll look.")
    expect(chunks.flatMap(({ delta }) => delta.tool_calls ?? [])).toEqual([
      { index: 0, id: expect.stringMatching(/^call_/), type: "function", function: told },
    ])
    expect(chunks.at(-1).finish_reason).toBe("tool_calls")
  })

  test("with none the template is given no tools, and what looks like a call is text", async () => {
    const prompts: string[] = []
    const app = await saying(call, prompts)
    const { choices } = await (await app.post("/v1/chat/completions", { ...body, tool_choice: "none" })).json()
    expect(choices[0]).toMatchObject({ finish_reason: "stop", message: { content: call } })
    expect(prompts[0]).not.toContain("weather")
  })
})

describe("a call that is asked for", () => {
  // The fake's hash of letters would never write one by itself.
  test("by name fits the tool's parameters, whole and streamed", async () => {
    const app = await createFakeApp({ tools: true })
    const asked = { ...body, seed: 3, temperature: 1, tool_choice: { type: "function", function: { name: "weather" } } }
    const { choices } = await (await app.post("/v1/chat/completions", { ...asked, n: 3 })).json()
    for (const { message, finish_reason } of choices) {
      expect([finish_reason, message.content, message.tool_calls.length]).toEqual(["stop", null, 1])
      expect(message.tool_calls[0].function.name).toBe("weather")
      expect(fitsSchema(JSON.parse(message.tool_calls[0].function.arguments), parameters)).toBe(true)
    }
    const events = await readEvents(await app.post("/v1/chat/completions", { ...asked, stream: true }))
    const deltas = events.slice(0, -1).map((event) => JSON.parse(event).choices[0].delta)
    expect(deltas.flatMap(({ tool_calls }) => tool_calls ?? []).map(({ function: each }) => each)).toEqual([
      choices[0].message.tool_calls[0].function,
    ])
    expect(app.decoder.books.sequences).toBe(0)
  })

  test("by required is one of the tools, and what is cut is no call", async () => {
    const app = await createFakeApp({ tools: true })
    const asked = { ...body, temperature: 1, tool_choice: "required" }
    const names: string[] = []
    for (const letter of ["c", "w"]) {
      // The letter, once the form leaves a choice.
      const logit_bias = { [letter.charCodeAt(0)]: 100 }
      const { choices } = await (await app.post("/v1/chat/completions", { ...asked, logit_bias })).json()
      expect(choices[0].finish_reason).toBe("tool_calls")
      names.push(choices[0].message.tool_calls[0].function.name)
    }
    expect(names).toEqual(["clock", "weather"])
    const cut = await (await app.post("/v1/chat/completions", { ...asked, max_tokens: 5 })).json()
    expect(cut.choices[0]).toMatchObject({ finish_reason: "length", message: { content: '{"nam' } })
    expect("tool_calls" in cut.choices[0].message).toBe(false)
  })
})

describe("what a call found", () => {
  test("goes to the template with the call, its arguments as an object", async () => {
    const prompts: string[] = []
    const app = await saying("20 degrees.", prompts)
    const conversation = [
      ...messages,
      { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: told }] },
      { role: "tool", tool_call_id: "call_1", content: [{ type: "text", text: "20 </s>" }] },
    ]
    const { choices } = await (await app.post("/v1/chat/completions", { ...body, messages: conversation })).json()
    expect(choices[0].message.content).toBe("20 degrees.")
    expect(prompts[0]).toContain('<tool_call>\n{"name": "weather", "arguments": {"city":"Ulm","days":1}}\n</tool_call>')
    // A control token that a tool writes stays text.
    expect(prompts[0]).toContain("|tool:20 </s>\n")
  })
})

describe("refusals", () => {
  const rows: readonly [name: string, fields: object, param: string, code: string][] = [
    [
      "a name with a blank",
      { tools: [{ type: "function", function: { name: "a b" } }] },
      "tools.0.function.name",
      "invalid_request",
    ],
    ["two of a name", { tools: [clock, clock] }, "tools", "invalid_request"],
    ["a choice without tools", { tools: [], tool_choice: "required" }, "tool_choice", "invalid_request"],
    [
      "a tool that is none",
      { tool_choice: { type: "function", function: { name: "rm" } } },
      "tool_choice.function.name",
      "invalid_request",
    ],
    [
      "a call and a format",
      { tool_choice: "required", response_format: { type: "json_schema", json_schema: { name: "a" } } },
      "response_format",
      "invalid_request",
    ],
    ["one call at a time", { parallel_tool_calls: false }, "parallel_tool_calls", "unsupported"],
    [
      "parameters that can't be held to",
      {
        tool_choice: "required",
        tools: [{ type: "function", function: { name: "a", parameters: { type: "string", pattern: "x" } } }],
      },
      "tools",
      "unsupported",
    ],
    [
      "arguments that are no object",
      {
        messages: [
          ...messages,
          { role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "a", arguments: "[" } }] },
        ],
      },
      "messages.1.tool_calls.0.function.arguments",
      "invalid_request",
    ],
    [
      "an assistant that says nothing",
      { messages: [...messages, { role: "assistant" }] },
      "messages.1.content",
      "invalid_request",
    ],
    [
      "a result of no call",
      { messages: [...messages, { role: "tool", content: "20" }] },
      "messages.1.tool_call_id",
      "invalid_request",
    ],
  ]
  for (const [name, fields, param, code] of rows) {
    test(name, async () => {
      const app = await createFakeApp({ tools: true })
      const response = await app.post("/v1/chat/completions", { ...body, ...fields })
      expect(response.status).toBe(400)
      expect((await response.json()).error).toMatchObject({ param, code })
    })
  }

  test("by a base whose template knows no tools", async () => {
    const app = await createFakeApp()
    const result = { role: "tool", tool_call_id: "a", content: "20" }
    const asked = [{ tools }, { tools: null, messages: [...messages, result] }]
    const params: string[] = []
    for (const fields of asked) {
      const { error } = await (await app.post("/v1/chat/completions", { ...body, ...fields })).json()
      expect([error.code, error.message]).toEqual([
        "unsupported",
        expect.stringContaining('template of "base" knows no tools'),
      ])
      params.push(error.param)
    }
    expect(params).toEqual(["tools", "messages.1"])
  })
})

test("the official client runs tools by its own helper", async () => {
  const bytesOf = (text: string): number[] => [...new TextEncoder().encode(text)]
  const app = await createFakeApp({
    tools: true,
    next: (tokens) => {
      const at = tokens.lastIndexOf(fakeMark)
      const said = new TextDecoder().decode(Uint8Array.from(tokens.filter((id) => id < 256)))
      return bytesOf(said.includes("tool:20") ? "20 degrees." : call)[tokens.length - at - 11] ?? fakeEos
    },
  })
  const server = await serveBun(app.fetch, "127.0.0.1", 0)
  closers.push(() => server.kill())
  const client = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.port}/v1`, maxRetries: 0 })
  const asked: unknown[] = []
  const lookUp = (given: object): string => {
    asked.push(given)
    return "20"
  }
  const runner = client.chat.completions.runTools({
    model: "base",
    messages,
    temperature: 0,
    tools: [
      {
        type: "function",
        function: { name: "weather", description: "The weather", parameters, parse: JSON.parse, function: lookUp },
      },
    ],
  })
  expect(await runner.finalContent()).toBe("20 degrees.")
  expect(asked).toEqual([{ city: "Ulm", days: 1 }])
})
