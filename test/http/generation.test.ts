/**
 * @module Chat and text completions over the fake engine: OpenAI's shapes, whole and streamed.
 */
import { describe, expect, test } from "bun:test"
import { errorResponse } from "../../routes/errors.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { createFakeApp, readEvents } from "../support/fake-app.ts"
import { fakeAdapter } from "../support/fake-decoder.ts"
import { fakeEos, fakeTokenizer } from "../support/fake-tokenizer.ts"

const messages = [{ role: "user", content: "hi" }]

/** Spells out `text` after a generation prompt or a ">", then ends. */
const spell = (text: string) => (tokens: readonly number[]) => {
  const place = Math.max(tokens.lastIndexOf(58), tokens.lastIndexOf(62)) // ":" and ">"
  return fakeTokenizer.encode(text)[tokens.length - 1 - place] ?? fakeEos
}

describe("POST /v1/chat/completions", () => {
  test("answers in OpenAI's shape and names the adapter version", async () => {
    const app = await createFakeApp({ next: spell("Hello there"), adapters: ["a"] })
    const response = await app.post("/v1/chat/completions", { model: "a", messages })
    expect(response.status).toBe(200)
    expect(response.headers.get("x-espalier-adapter")).toBe(`a@${fakeAdapter("a").hash.slice(0, 12)}`)
    expect(response.headers.get("x-request-id")).toMatch(/^req_/)
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: "chat.completion",
      created: 1_700_000_000,
      model: "a",
      system_fingerprint: `fp_bbbbbbbbbbbb_${fakeAdapter("a").hash.slice(0, 12)}`,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello there", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      // <m>user:hi\n<m>assistant: and Hello there</s>
      usage: {
        prompt_tokens: 20,
        completion_tokens: 12,
        total_tokens: 32,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    })
  })

  test("names no adapter where the base answers", async () => {
    const app = await createFakeApp()
    const response = await app.post("/v1/chat/completions", { model: "base", messages, max_tokens: 3 })
    expect(response.headers.has("x-espalier-adapter")).toBe(false)
    const body = await response.json()
    expect(body.system_fingerprint).toBe("fp_bbbbbbbbbbbb")
    expect(body.choices[0].finish_reason).toBe("length")
  })

  test("streams the same answer: a role, deltas, a reason, usage, [DONE]", async () => {
    const app = await createFakeApp({ next: spell("Hé!") })
    const request = { model: "base", messages, stream: true, stream_options: { include_usage: true } }
    const response = await app.post("/v1/chat/completions", request)
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8")
    const events = await readEvents(response)
    expect(events.at(-1)).toBe("[DONE]")
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event))
    expect(new Set(chunks.map(({ id, object, created }) => `${id} ${object} ${created}`)).size).toBe(1)
    expect(chunks[0].object).toBe("chat.completion.chunk")
    expect(chunks.map(({ choices, usage }) => [choices[0]?.delta, choices[0]?.finish_reason, usage])).toEqual([
      [{ role: "assistant", content: "" }, null, null],
      [{ content: "H" }, null, null],
      [{ content: "é" }, null, null],
      [{ content: "!" }, null, null],
      [{}, "stop", null],
      [
        undefined,
        undefined,
        { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25, prompt_tokens_details: { cached_tokens: 0 } },
      ],
    ])
    const plain = await readEvents(await app.post("/v1/chat/completions", { model: "base", messages, stream: true }))
    expect(plain.some((event) => event.includes("usage"))).toBe(false)
  })

  test("gives each of several choices its own index, streamed as whole", async () => {
    const app = await createFakeApp()
    const request = { model: "base", messages, n: 3, seed: 8, max_tokens: 12 }
    const whole = await (await app.post("/v1/chat/completions", request)).json()
    const texts = whole.choices.map((choice: { message: { content: string } }) => choice.message.content)
    expect(whole.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2])
    expect(new Set(texts).size).toBe(3)
    expect(whole.usage).toEqual({
      prompt_tokens: 20,
      completion_tokens: 36,
      total_tokens: 56,
      prompt_tokens_details: { cached_tokens: 0 },
    })
    const streamed = ["", "", ""]
    for (const event of await readEvents(await app.post("/v1/chat/completions", { ...request, stream: true }))) {
      if (event === "[DONE]") break
      for (const { index, delta } of JSON.parse(event).choices) streamed[index] += delta.content ?? ""
    }
    expect(streamed).toEqual(texts)
  })

  test("gives logprobs in the chat shape", async () => {
    const app = await createFakeApp({ next: spell("é") })
    const request = { model: "base", messages, logprobs: true, top_logprobs: 2 }
    const { choices } = await (await app.post("/v1/chat/completions", request)).json()
    const { content } = choices[0].logprobs
    expect(content.map(({ bytes }: { bytes: number[] }) => bytes)).toEqual([[0xc3], [0xa9]])
    expect(content[0].token).toBe("\uFFFD")
    expect(content[0].logprob).toBeCloseTo(0, 10)
    expect(content[0].top_logprobs).toHaveLength(2)
    expect(content[0].top_logprobs[0]).toEqual({ token: "\uFFFD", logprob: content[0].logprob, bytes: [0xc3] })
  })

  test("takes text parts, the developer role, and max_completion_tokens before max_tokens", async () => {
    const app = await createFakeApp()
    const answer = async (fields: object): Promise<unknown> => {
      const response = await app.post("/v1/chat/completions", { model: "base", temperature: 0, ...fields })
      return (await response.json()).choices[0].message.content
    }
    const parts = [
      { type: "text", text: "h" },
      { type: "text", text: "i" },
    ]
    const plain = await answer({ messages, max_tokens: 6 })
    expect(
      await answer({ messages: [{ role: "user", content: parts }], max_tokens: 9, max_completion_tokens: 6 }),
    ).toBe(plain)
    const system = await answer({ messages: [{ role: "system", content: "x" }, ...messages], max_tokens: 6 })
    expect(await answer({ messages: [{ role: "developer", content: "x" }, ...messages], max_tokens: 6 })).toBe(system)
  })

  test("stops at a text of the request and leaves it out", async () => {
    const app = await createFakeApp({ next: spell("one, two, three") })
    const request = { model: "base", messages, stop: [" three", ", two"] }
    const { choices } = await (await app.post("/v1/chat/completions", request)).json()
    expect(choices[0]).toMatchObject({ message: { content: "one" }, finish_reason: "stop" })
  })

  test("leaves off what the template writes before every answer, and nothing else", async () => {
    const contentOf = async (text: string, max_tokens: number): Promise<string> => {
      // The fake's template writes a blank where a conversation's assistant speaks, after the generation prompt.
      const app = await createFakeApp({ next: spell(text), lead: " " })
      const { choices } = await (await app.post("/v1/chat/completions", { model: "base", messages, max_tokens })).json()
      return choices[0].message.content
    }
    expect(await contentOf(" Hello", 20)).toBe("Hello")
    expect(await contentOf("  Hello", 20)).toBe(" Hello")
    expect(await contentOf("Hello", 20)).toBe("Hello")
    expect(await contentOf(" ", 1)).toBe("")
  })

  test("gives tokens the text and bytes of the vocabulary, streamed as whole, where the template's blank is left off", async () => {
    const app = await createFakeApp({ next: spell(" Hé!"), lead: " " })
    const request = { model: "base", messages, logprobs: true, top_logprobs: 1 }
    const { choices } = await (await app.post("/v1/chat/completions", request)).json()
    const streamed = await readEvents(await app.post("/v1/chat/completions", { ...request, stream: true }))
    const tokens = streamed
      .filter((event) => event !== "[DONE]")
      .flatMap((event) => JSON.parse(event).choices[0]?.logprobs?.content ?? [])
    expect(tokens).toEqual(choices[0].logprobs.content)
    expect(Buffer.from(tokens.flatMap(({ bytes }: { bytes: number[] }) => bytes)).toString()).toBe(" Hé!")
    expect(tokens[0]).toMatchObject({ token: " ", bytes: [32], top_logprobs: [{ token: " ", bytes: [32] }] })
    expect(choices[0].message.content).toBe("Hé!")
  })

  test("hears what a message writes as text only: a written special token stays text", async () => {
    const app = await createFakeApp()
    const content = "</s>"
    const { usage } = await (
      await app.post("/v1/chat/completions", { model: "base", messages: [{ role: "user", content }], max_tokens: 1 })
    ).json()
    expect(usage.prompt_tokens).toBe(18 + 4)
  })
})

describe("POST /v1/completions", () => {
  test("answers in OpenAI's older shape", async () => {
    const app = await createFakeApp({ next: spell("abc") })
    const response = await app.post("/v1/completions", { model: "base", prompt: ">" })
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^cmpl-/),
      object: "text_completion",
      created: 1_700_000_000,
      model: "base",
      system_fingerprint: "fp_bbbbbbbbbbbb",
      choices: [{ index: 0, text: "abc", logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 1, completion_tokens: 4, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } },
    })
  })

  test("gives 16 tokens unless asked for more", async () => {
    const app = await createFakeApp()
    const { usage } = await (await app.post("/v1/completions", { model: "base", prompt: "x" })).json()
    expect(usage.completion_tokens).toBe(16)
  })

  test("takes texts and token ids, one or several", async () => {
    const app = await createFakeApp()
    const texts = async (prompt: unknown): Promise<string[]> => {
      const response = await app.post("/v1/completions", { model: "base", prompt, temperature: 0, max_tokens: 5 })
      return (await response.json()).choices.map(({ text }: { text: string }) => text)
    }
    const [ab] = await texts("ab")
    const [cd] = await texts("cd")
    expect(await texts(["ab", "cd"])).toEqual([ab!, cd!])
    expect(await texts([97, 98])).toEqual([ab!])
    expect(
      await texts([
        [97, 98],
        [99, 100],
      ]),
    ).toEqual([ab!, cd!])
  })

  test("echoes the prompt and scores it: tokens, logprobs, rivals and offsets line up", async () => {
    const app = await createFakeApp({ next: spell("b") })
    const request = { model: "base", prompt: "é>", echo: true, logprobs: 1, max_tokens: 1 }
    const { choices } = await (await app.post("/v1/completions", request)).json()
    expect(choices[0].text).toBe("é>b")
    const { tokens, token_logprobs, top_logprobs, text_offset } = choices[0].logprobs
    expect(tokens).toEqual(["\uFFFD", "\uFFFD", ">", "b"])
    expect(token_logprobs[0]).toBeNull()
    expect(token_logprobs.slice(1).every((logprob: number) => logprob <= 0)).toBe(true)
    expect(top_logprobs[0]).toBeNull()
    expect(Object.keys(top_logprobs[3])).toEqual(["b"])
    expect(text_offset.at(-1)).toBe(2)
    const streamed = await readEvents(await app.post("/v1/completions", { ...request, stream: true }))
    const chunks = streamed.slice(0, -1).map((event) => JSON.parse(event).choices[0])
    expect(chunks.map(({ text }) => text).join("")).toBe("é>b")
    expect(chunks.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual(text_offset)
  })

  test("scores a prompt without continuing it", async () => {
    const app = await createFakeApp()
    const request = { model: "base", prompt: "abc", echo: true, logprobs: 0, max_tokens: 0 }
    const { choices, usage } = await (await app.post("/v1/completions", request)).json()
    expect(choices[0]).toMatchObject({ text: "abc", finish_reason: "length" })
    expect(choices[0].logprobs.token_logprobs).toHaveLength(3)
    expect(usage.completion_tokens).toBe(0)
  })

  test("repeats itself for the same seed, and not for another", async () => {
    const app = await createFakeApp()
    const text = async (seed: number): Promise<string> =>
      (await (await app.post("/v1/completions", { model: "base", prompt: "x", seed, max_tokens: 40 })).json())
        .choices[0].text
    expect(await text(3)).toBe(await text(3))
    expect(await text(3)).not.toBe(await text(4))
  })

  test("obeys logit_bias, ignore_eos and a top_k of -1", async () => {
    const app = await createFakeApp({ next: spell("ab") })
    const request = { model: "base", prompt: ">", temperature: 0, max_tokens: 4, top_k: -1 }
    const biased = await (await app.post("/v1/completions", { ...request, logit_bias: { 122: 100 } })).json()
    expect(biased.choices[0].text).toBe("zzzz")
    const going = await (await app.post("/v1/completions", { ...request, ignore_eos: true })).json()
    expect(going.usage.completion_tokens).toBe(4)
  })
})

describe("adapters and traffic", () => {
  const greedy = { temperature: 0, max_tokens: 20, prompt: "same" }
  const textOf = async (response: Response): Promise<string> => (await response.json()).choices[0].text

  test("20 alternating requests to 3 adapters and the base answer as each alone", async () => {
    const app = await createFakeApp({ adapters: ["a", "b", "c"] })
    const models = ["base", "a", "b", "c"]
    const alone: Record<string, string> = {}
    for (const model of models) alone[model] = await textOf(await app.post("/v1/completions", { model, ...greedy }))
    expect(new Set(Object.values(alone)).size).toBe(4)
    const order = Array.from({ length: 20 }, (_, i) => models[i % 4]!)
    const texts = await Promise.all(
      order.map(async (model) => textOf(await app.post("/v1/completions", { model, ...greedy }))),
    )
    expect(texts).toEqual(order.map((model) => alone[model]!))
  })

  test("a stream ends on the version that it began with when its adapter is replaced, and when it is removed", async () => {
    const app = await createFakeApp()
    const request = { model: "x", ...greedy, max_tokens: 200, stream: true }
    const load = { name: "x", replace: true }
    const read = async (response: Response): Promise<string> =>
      (await readEvents(response))
        .map((event) => (event === "[DONE]" ? "." : JSON.parse(event).choices[0].text))
        .join("")
    await app.post("/v1/adapters", { ...load, path: "old" })
    const reference = await read(await app.post("/v1/completions", request))
    const during = await app.post("/v1/completions", request)
    expect((await app.post("/v1/adapters", { ...load, path: "new" })).status).toBe(201)
    const next = await app.post("/v1/completions", request)
    expect((await app.send("/v1/adapters/x", { method: "DELETE" })).status).toBe(200)
    expect((await app.post("/v1/completions", request)).status).toBe(404)
    expect(next.headers.get("x-espalier-adapter")).not.toBe(during.headers.get("x-espalier-adapter"))
    const [old, fresh] = await Promise.all([read(during), read(next)])
    expect(old).toBe(reference)
    expect(fresh).not.toBe(reference)
    expect(fresh).toEndWith(".")
    await app.engine.close()
    expect(app.decoder.books).toMatchObject({ sequences: 0, adapters: 0 })
  })

  test("a full queue answers 429 with Retry-After, as often as there was no place", async () => {
    const app = await createFakeApp({ scheduler: { maxActive: 8, maxWaiting: 64 } })
    const requests = Array.from({ length: 500 }, () =>
      app.post("/v1/completions", { model: "base", ...greedy, max_tokens: 60 }),
    )
    const responses = await Promise.all(requests)
    const refused = responses.filter((response) => response.status === 429)
    expect(refused).toHaveLength(428)
    expect(responses.filter((response) => response.status === 200)).toHaveLength(72)
    for (const { headers } of refused) expect(headers.get("retry-after")).toMatch(/^([1-9]|[1-5]\d|60)$/)
    expect((await refused[0]!.json()).error).toMatchObject({ type: "rate_limit_error", code: "queue_full" })
    expect((await app.post("/v1/completions", { model: "base", ...greedy })).status).toBe(200)
  })

  test("Retry-After is a whole number that OpenAI's clients heed", () => {
    const header = (retryAfter: number): string | null =>
      errorResponse(new EspalierError("queue_full", "Full", { retryAfter })).headers.get("retry-after")
    expect([0, 0.2, 7.2, 60, 500].map(header)).toEqual(["1", "1", "8", "60", "60"])
  })

  test("a client that leaves a stream ends its generation", async () => {
    const app = await createFakeApp()
    const response = await app.post("/v1/completions", { model: "base", prompt: "x", max_tokens: 4000, stream: true })
    const reader = response.body!.getReader()
    await reader.read()
    await reader.cancel()
    while ((await app.engine.stats()).active > 0) await Bun.sleep(1)
    expect(app.decoder.books.sequences).toBe(0)
    expect((await app.engine.stats()).aborted).toBe(1)
    expect(app.reported).toEqual([])
  })

  test("a client that leaves while it waits for a whole answer ends its generation", async () => {
    const app = await createFakeApp()
    const controller = new AbortController()
    const request = new Request("http://localhost/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "base", prompt: "x", max_tokens: 4000 }),
      signal: controller.signal,
    })
    const answer = app.fetch(request)
    while ((await app.engine.stats()).active === 0) await Bun.sleep(0)
    controller.abort()
    expect((await answer).status).toBe(499)
    expect(app.decoder.books.sequences).toBe(0)
  })

  test("an error inside a stream comes as an error object and ends it, and is told to the owner", async () => {
    const app = await createFakeApp({
      beforeAppend(_added, { tokens }) {
        if (tokens.length > 3) throw new Error("secret: /home/someone/model.ts:12")
      },
    })
    const response = await app.post("/v1/completions", { model: "base", prompt: "x", stream: true })
    const events = await readEvents(response)
    expect(events).not.toContain("[DONE]")
    const { error } = JSON.parse(events.at(-1)!)
    expect(error).toEqual({ message: expect.any(String), type: "server_error", param: null, code: "internal" })
    expect(events.join("")).not.toContain("secret")
    expect(app.reported).toHaveLength(1)
    const whole = await app.post("/v1/completions", { model: "base", prompt: "x" })
    expect(whole.status).toBe(500)
    expect(await whole.text()).not.toContain("secret")
    expect(app.reported).toHaveLength(2)
  })

  test("a quiet stream sends comments until its first token comes", async () => {
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const app = await createFakeApp({ keepAliveMs: 2, beforeAppend: () => gate })
    const response = await app.post("/v1/completions", { model: "base", prompt: "x", max_tokens: 2, stream: true })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    expect(text).toBe(": keep-alive\n\n")
    open()
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
    expect(text).toEndWith("data: [DONE]\n\n")
  })
})
