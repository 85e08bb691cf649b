/**
 * @module Everything that is wrong with a request, one row each: a 4xx with OpenAI's error object that names the cause,
 * nothing of the server's insides in it, and a server that goes on.
 */
import { describe, expect, test } from "bun:test"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"

const app: FakeApp = await createFakeApp({ adapters: ["a"], maxBodyBytes: 4096, contextLength: 512 })

/** An answer is an error object and nothing more; the server still serves. */
async function expectError(response: Response, status: number, names: string | RegExp, param?: string | null) {
  const text = await response.text()
  expect([response.status, text]).toEqual([status, expect.stringMatching(names)])
  expect(response.headers.get("content-type")).toStartWith("application/json")
  expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/)
  const { error, ...rest } = JSON.parse(text)
  expect(rest).toEqual({})
  expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"])
  expect(error.message).toBeString()
  expect(error.message.length).toBeLessThan(700)
  expect(error.type).toEndWith("_error")
  expect(error.code === null || typeof error.code === "string").toBe(true)
  if (param !== undefined) expect(error.param).toBe(param)
  // No stack frames, no folders of the server.
  expect(text).not.toMatch(/\.ts:\d|\bat \w+ \(|\/srv\/|node_modules/)
  const health = await app.get("/health")
  expect(health.status).toBe(200)
  expect(await health.json()).toMatchObject({ active: 0, waiting: 0, adapters: 1 })
}

const messages = [{ role: "user", content: "hi" }]
const chat = (fields: object): object => ({ model: "base", messages, max_tokens: 4, ...fields })
const text = (fields: object): object => ({ model: "base", prompt: "hi", max_tokens: 4, ...fields })

/** Fields that chat and text completions share: a wrong value, and what the message names. */
const sharedRows: readonly [field: string, value: unknown, param?: string][] = [
  ["model", undefined],
  ["model", null],
  ["model", 7],
  ["model", ""],
  ["model", "m".repeat(257)],
  ["temperature", -0.1],
  ["temperature", 2.1],
  ["temperature", "hot"],
  ["top_p", -0.1],
  ["top_p", 1.1],
  ["top_k", -2],
  ["top_k", 1.5],
  ["top_k", 1e7],
  ["min_p", -1],
  ["min_p", 1.01],
  ["repetition_penalty", 0],
  ["repetition_penalty", 11],
  ["presence_penalty", -2.1],
  ["presence_penalty", 2.1],
  ["frequency_penalty", -2.1],
  ["frequency_penalty", 2.1],
  ["seed", 1.5],
  ["seed", 2 ** 53],
  ["seed", -(2 ** 53)],
  ["n", 0],
  ["n", 9],
  ["n", 1e9],
  ["max_tokens", -1],
  ["max_tokens", 1e9],
  ["max_tokens", 2.5],
  ["stop", ""],
  ["stop", "s".repeat(257)],
  ["stop", Array.from({ length: 17 }, () => "x")],
  ["stop", [1], "stop.0"],
  ["stop", 3],
  ["stream", "yes"],
  ["stream_options", { include_usage: 1 }, "stream_options.include_usage"],
  ["logit_bias", { 5: 101 }, "logit_bias.5"],
  ["logit_bias", { 5: -101 }, "logit_bias.5"],
  ["logit_bias", { five: 1 }, "logit_bias.five"],
  ["logit_bias", { 258: 1 }],
  ["logit_bias", [1]],
  ["ignore_eos", "no"],
]

const chatRows: readonly [field: string, value: unknown, param?: string][] = [
  ["messages", undefined],
  ["messages", []],
  ["messages", "hi"],
  ["messages", [7], "messages.0"],
  ["messages", [{ content: "hi" }], "messages.0.role"],
  ["messages", [{ role: "root", content: "hi" }], "messages.0.role"],
  ["messages", [{ role: "user" }], "messages.0.content"],
  ["messages", [{ role: "user", content: null }], "messages.0.content"],
  ["messages", [{ role: "user", content: [{ type: "image_url", image_url: {} }] }], "messages.0.content.0.type"],
  ["messages", [{ role: "user", content: [{ type: "text", text: 5 }] }], "messages.0.content.0.text"],
  ["max_tokens", 0],
  ["max_completion_tokens", 0],
  ["logprobs", 3],
  ["top_logprobs", 21],
  ["top_logprobs", -1],
  ["top_logprobs", 2],
  ["tools", [{ type: "function" }], "tools.0.function"],
  ["response_format", { type: "json_object" }, "messages"],
  ["response_format", { type: "xml" }, "response_format.type"],
  ["response_format", { type: "json_schema" }, "response_format.json_schema"],
  ["response_format", { type: "json_schema", json_schema: { name: "a b" } }, "response_format.json_schema.name"],
  ["response_format", { type: "json_schema", json_schema: { name: "a", schema: { type: "text" } } }],
  ["response_format", { type: "json_schema", json_schema: { name: "a", schema: { pattern: "x" } } }],
]

const textRows: readonly [field: string, value: unknown, param?: string][] = [
  ["prompt", undefined],
  ["prompt", 7],
  ["prompt", ""],
  ["prompt", []],
  ["prompt", [[]], "prompt"],
  ["prompt", [1, "a"], "prompt.1"],
  ["prompt", [258]],
  ["prompt", [-1], "prompt.0"],
  ["prompt", [0.5], "prompt.0"],
  ["prompt", Array.from({ length: 33 }, () => "x")],
  ["logprobs", 21],
  ["logprobs", -1],
  ["logprobs", true],
  ["echo", 1],
  ["best_of", 3],
  ["suffix", "end"],
]

describe("a wrong field is refused by its name", () => {
  const label = (value: unknown): string => (JSON.stringify(value) ?? "left out").slice(0, 40)
  for (const [field, value, param = field] of [...sharedRows, ...chatRows]) {
    test(`chat: ${field} ${label(value)}`, async () => {
      const response = await app.post("/v1/chat/completions", chat({ [field]: value }))
      await expectError(response, 400, new RegExp(param.split(".").at(-1)!), param)
    })
  }
  for (const [field, value, param = field] of [...sharedRows, ...textRows]) {
    test(`completions: ${field} ${label(value)}`, async () => {
      const response = await app.post("/v1/completions", text({ [field]: value }))
      expect(JSON.parse(await response.clone().text()).error.param).toStartWith(field)
      await expectError(response, 400, "")
      expect(param).toStartWith(field)
    })
  }
})

describe("what is wrong is said as people say it", () => {
  const rows: readonly [path: string, body: object, message: string][] = [
    ["/v1/completions", text({ n: 1.5 }), "`n`: Expected a whole number but found 1.5"],
    ["/v1/completions", text({ prompt: [] }), "`prompt`: Expected at least 1 item but found 0"],
    ["/v1/completions", text({ stop: "" }), "`stop`: Expected at least 1 character but found 0"],
    ["/v1/completions", text({ model: "m".repeat(257) }), "`model`: Expected at most 256 characters but found 257"],
    ["/v1/chat/completions", chat({ messages: [] }), "`messages`: Expected at least 1 item but found 0"],
    ["/v1/embeddings", { model: "base", input: [] }, "`input`: Expected at least 1 item but found 0"],
  ]
  for (const [path, body, message] of rows) {
    test(message, async () => expect((await (await app.post(path, body)).json()).error.message).toBe(message))
  }
})

describe("a wrong body is refused", () => {
  const path = "/v1/chat/completions"
  const rows: readonly [name: string, body: string, status: number, names: string][] = [
    ["nothing", "", 400, "empty"],
    ["blanks", "  \n", 400, "empty"],
    ["half an object", '{"model": "base"', 400, "not valid JSON"],
    ["no JSON", "model=base", 400, "not valid JSON"],
    ["a trailing comma", '{"model": "base",}', 400, "not valid JSON"],
    ["a list", "[]", 400, "JSON object"],
    ["null", "null", 400, "JSON object"],
    ["a number", "7", 400, "JSON object"],
    ["NaN", '{"temperature": NaN}', 400, "not valid JSON"],
    [
      "infinity",
      JSON.stringify(chat({ temperature: 0 })).replace('"temperature":0', '"temperature":1e999'),
      400,
      "temperature",
    ],
    ["deep lists", `{"model":"base","x":${"[".repeat(1000)}${"]".repeat(1000)}}`, 400, "nested"],
    ["deep objects", `{"a":`.repeat(700), 400, "nested"],
    ["too many bytes", JSON.stringify(chat({ user: "u".repeat(5000) })), 413, "limit of 4096 bytes"],
  ]
  for (const [name, body, status, names] of rows) {
    test(name, async () => expectError(await app.post(path, body), status, names))
  }

  test("bytes that are not UTF-8", async () => {
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Uint8Array.of(0x22, 0xff, 0x22),
    }
    await expectError(await app.send(path, init), 400, "UTF-8")
  })

  test("too many bytes in chunks without a length, without reading the rest", async () => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1000
        controller.enqueue(new Uint8Array(1000).fill(0x20))
        if (sent >= 1_000_000) controller.close()
      },
    })
    const init = { method: "POST", headers: { "content-type": "application/json" }, body, duplex: "half" }
    await expectError(await app.send(path, init), 413, "limit of 4096 bytes")
    expect(sent).toBeLessThan(20_000)
  })

  test("a length that lies low", async () => {
    const headers = { "content-type": "application/json", "content-length": "10" }
    await expectError(await app.post(path, chat({ user: "u".repeat(5000) }), headers), 413, "limit of 4096 bytes")
  })

  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]) {
    test(`the content type "${type}"`, async () => {
      const response = await app.post(path, chat({}), { "content-type": type })
      await expectError(response, 415, "application/json", "content-type")
    })
  }

  test("but unknown fields, a charset and nulls are fine", async () => {
    const body = chat({
      temperature: null,
      stop: null,
      n: null,
      stream: null,
      unheard_of: { deep: [1] },
      __proto__: null,
    })
    const response = await app.post(path, body, { "content-type": "application/json; charset=utf-8" })
    expect(response.status).toBe(200)
  })
})

describe("a wrong place is refused", () => {
  const rows: readonly [method: string, path: string, status: number, names: string][] = [
    ["GET", "/", 404, "GET /"],
    ["GET", "/v1", 404, "/v1"],
    ["GET", "/v1/modelsx", 404, "/v1/modelsx"],
    ["POST", "/v1/moderations", 404, "/v1/moderations"],
    ["GET", "/v1/chat/completions", 405, "POST"],
    ["PUT", "/v1/completions", 405, "POST"],
    ["DELETE", "/v1/models", 405, "GET"],
    ["POST", "/v1/models/base", 405, "GET"],
    ["POST", "/health", 405, "GET"],
    ["PATCH", "/v1/adapters", 405, "GET or POST"],
    ["POST", "/v1/adapters/a", 405, "GET or DELETE"],
    ["GET", "/v1/load_lora_adapter", 405, "POST"],
    ["GET", "/v1/models/none", 404, "base, a"],
    ["GET", "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404, "does not exist"],
    ["GET", "/v1/adapters/none", 404, "none"],
    ["DELETE", "/v1/adapters/none", 404, "none"],
    ["DELETE", "/v1/adapters/base", 404, "base"],
    ["GET", "/v1/adapters/%E0%A4%A", 404, "adapter"],
  ]
  for (const [method, path, status, names] of rows) {
    test(`${method} ${path}`, async () => expectError(await app.send(path, { method }), status, names))
  }

  test("an allowed method is named in the header too", async () => {
    const response = await app.send("/v1/adapters", { method: "PATCH" })
    expect(response.headers.get("allow")).toBe("GET, POST")
  })

  for (const path of ["/v1/chat/completions", "/v1/completions"]) {
    test(`an unknown model at ${path} names those there are`, async () => {
      const fields = { model: "nobody" }
      const response = await app.post(path, path.includes("chat") ? chat(fields) : text(fields))
      const body = JSON.parse(await response.clone().text())
      expect(body.error.code).toBe("model_not_found")
      await expectError(response, 404, /nobody.*base, a/, "model")
    })
  }

  test("what is over the context, under OpenAI's code and the field that is too much", async () => {
    const long = "x".repeat(600)
    const chatAsks = (fields: object) => app.post("/v1/chat/completions", chat(fields))
    for (const [response, param] of [
      [await app.post("/v1/completions", text({ prompt: long })), "prompt"],
      [await app.post("/v1/completions", text({ max_tokens: 600 })), "max_tokens"],
      [await chatAsks({ messages: [{ role: "user", content: long }] }), "messages"],
      [await chatAsks({ max_tokens: 600 }), "max_tokens"],
      [await app.post("/v1/embeddings", { model: "base", input: long }), "input"],
    ] as const) {
      expect((await response.clone().json()).error.code).toBe("context_length_exceeded")
      await expectError(response, 400, "holds 512 tokens", param)
    }
  })

  test("more completions than one request may ask for", async () => {
    const many = { prompt: Array.from({ length: 20 }, () => "x"), n: 2 }
    await expectError(await app.post("/v1/completions", text(many)), 400, "at most 32 completions", "n")
  })
})

describe("a wrong adapter is refused", () => {
  const names = ["", "..", "../a", "a/b", "a\\b", ".hidden", "a..b", "a\0b", "a b", "-a", "n".repeat(129), "é"]
  for (const name of names) {
    test(`the name ${JSON.stringify(name.slice(0, 20))}`, async () => {
      await expectError(await app.post("/v1/adapters", { name, path: "x" }), 400, "name", "name")
      const body = { lora_name: name, lora_path: "x" }
      await expectError(await app.post("/v1/load_lora_adapter", body), 400, "name", "lora_name")
    })
  }

  const paths = [
    "..",
    "../x",
    "x/../../y",
    "/etc",
    "/srv/adapters/../x",
    "/srv/adapters-other/x",
    "/",
    ".",
    "a\0b",
    "..\\x",
    "C:\\x",
    "/srv/adapters",
  ]
  for (const path of paths) {
    test(`the path ${JSON.stringify(path)}`, async () => {
      await expectError(
        await app.post("/v1/adapters", { name: "x", path }),
        400,
        "inside the server's adapters folder",
        "path",
      )
      const body = { lora_name: "x", lora_path: path }
      await expectError(await app.post("/v1/load_lora_adapter", body), 400, "adapters folder", "lora_path")
    })
  }

  const rows: readonly [body: object, status: number, names: string, param: string | null][] = [
    [{}, 400, "name", "name"],
    [{ name: "x" }, 400, "path", "path"],
    [{ name: 1, path: "x" }, 400, "name", "name"],
    [{ name: "x", path: "" }, 400, "path", "path"],
    [{ name: "x", path: "p".repeat(4100) }, 413, "limit", null],
    [{ name: "x", path: "y", replace: "yes" }, 400, "replace", "replace"],
    [{ name: "x", path: "missing" }, 404, "no folder missing", "path"],
    [{ name: "x", path: "sub/broken" }, 400, "sub/broken/adapter_model.safetensors ends after 17 of 4096 bytes", null],
    [{ name: "x", path: "misfit" }, 400, "2 tensors differ", null],
    [{ name: "a", path: "y" }, 409, "already loaded", "name"],
    [{ name: "base", path: "y" }, 409, "base's name", "name"],
  ]
  for (const [body, status, message, param] of rows) {
    test(JSON.stringify(body).slice(0, 60), async () => {
      await expectError(await app.post("/v1/adapters", body), status, message, param)
    })
  }

  test("in vLLM's terms at vLLM's routes", async () => {
    await expectError(await app.post("/v1/load_lora_adapter", { lora_path: "x" }), 400, "lora_name", "lora_name")
    await expectError(await app.post("/v1/load_lora_adapter", { lora_name: "x" }), 400, "lora_path", "lora_path")
    const taken = { lora_name: "a", lora_path: "y" }
    await expectError(await app.post("/v1/load_lora_adapter", taken), 400, "load_inplace", "lora_name")
    await expectError(await app.post("/v1/unload_lora_adapter", { lora_name: "none" }), 404, "none", "lora_name")
    await expectError(await app.post("/v1/unload_lora_adapter", {}), 400, "lora_name", "lora_name")
  })
})

test("none of these was anybody's fault but the client's", () => {
  expect(app.reported).toEqual([])
})
