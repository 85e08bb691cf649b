/**
 * @module Requests drawn from a seed over every route: no answer of 500 and more, none that hangs, no path, stack or
 * module of the server in a body, and an error object wherever one is due.
 */
import { expect, test } from "bun:test"
import { routeScopes } from "../../routes/scopes.ts"
import { type Rng, rng } from "../../src/core/rng.ts"
import { createFakeApp } from "../support/fake-app.ts"
import { times } from "../support/times.ts"

const requests = times(10_000)
const leaks = /\/srv\/|\/work\/|\/home\/|node_modules|\bat \S+ \(|\.ts:\d+|file:\/\/|Error:/

const pick = <T>(random: Rng, from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!

const numbers = [0, -0, 1, -1, 2, 0.5, 31, 1e9, -1e9, 2 ** 31, 2 ** 53, 1e308, -1e308, 5e-324]
const texts = [
  "",
  "a",
  "base",
  "one",
  "one*0.5+two*0.5",
  "one*1e999",
  "*+*",
  "../../etc/passwd",
  "/opt/broken",
  "broken",
  "__proto__",
  "constructor",
  "\u0000",
  "\ud800",
  "<m>assistant:",
  "x".repeat(3000),
  "ft:base::0123456789ab",
]

/** Any JSON value, small. */
function anything(random: Rng, depth = 0): unknown {
  const kind = Math.floor(random.next() * (depth > 3 ? 4 : 6))
  if (kind === 0) return pick(random, numbers)
  if (kind === 1) return pick(random, texts)
  if (kind === 2) return pick(random, [null, true, false])
  if (kind === 3) return pick(random, [[], {}, [[]], "auto"])
  const length = Math.floor(random.next() * 4)
  if (kind === 4) return Array.from({ length }, () => anything(random, depth + 1))
  return Object.fromEntries(Array.from({ length }, () => [pick(random, fields), anything(random, depth + 1)]))
}

/** What a good request may hold. */
const good: Readonly<Record<string, readonly unknown[]>> = {
  model: ["base", "one", "two", "one*0.5+two*0.5"],
  messages: [[{ role: "user", content: "hi" }], [{ role: "system", content: [{ type: "text", text: "a" }] }]],
  prompt: ["a", [1, 2], ["a", "b"], [[1], [2]]],
  input: ["a", ["a", "b"], [1, 2]],
  stream: [true, false],
  stream_options: [{ include_usage: true }],
  n: [1, 2],
  max_tokens: [1, 3],
  max_completion_tokens: [1, 3],
  temperature: [0, 1],
  top_p: [0.1, 1],
  top_k: [-1, 5],
  min_p: [0.1],
  seed: [7],
  stop: ["x", ["a", "b"]],
  logit_bias: [{ 5: 10 }],
  presence_penalty: [1],
  frequency_penalty: [1],
  repetition_penalty: [1.1],
  logprobs: [true, 2],
  top_logprobs: [2],
  echo: [true],
  best_of: [1],
  suffix: [""],
  response_format: [{ type: "text" }, { type: "json_object" }],
  tools: [[], [{ type: "function", function: { name: "a", parameters: { type: "object" } } }]],
  tool_choice: ["none", "auto", "required", { type: "function", function: { name: "a" } }],
  encoding_format: ["float", "base64"],
  dimensions: [4],
  name: ["new", "one"],
  path: ["a", "missing", "broken", "misfit", "../up"],
  replace: [true],
  lora_name: ["new", "one"],
  lora_path: ["a", "missing"],
  load_inplace: [true],
}
const fields = [...Object.keys(good), "__proto__", "constructor", "unknown"]

/** Fields that most requests of a route need, and some others; here and there one that is anything. */
function bodyOf(random: Rng): string {
  const needed = ["model", "messages", "prompt", "input", "name", "path", "lora_name", "lora_path", "max_tokens"]
  const chosen = [...needed, ...Array.from({ length: 3 }, () => pick(random, fields))]
  const entries = chosen.map((field) => {
    const values = random.next() < 0.9 ? good[field] : undefined
    return [field, values ? pick(random, values) : anything(random)]
  })
  const text = JSON.stringify(Object.fromEntries(entries))
  const spoilt = random.next()
  if (spoilt < 0.03) return text.slice(0, Math.floor(random.next() * text.length))
  if (spoilt < 0.05) return `${"[".repeat(100)}${text}`
  if (spoilt < 0.08) return JSON.stringify(anything(random))
  return text
}

/** A request to a route, its method or path written wrongly now and then. */
function requestOf(random: Rng): { path: string; init: RequestInit } {
  const [method, pattern] = pick(random, Object.keys(routeScopes)).split(" ") as [string, string]
  const name = (): string => encodeURIComponent(pick(random, ["one", "base", "none", ...texts]).replace("\ud800", "?"))
  let path = pattern.replace(/:\w+(\{[^}]*\})?/g, () => name())
  if (random.next() < 0.05) path += pick(random, ["/", "//", "%2F", "/..", "%", "%00", "?limit=-1", "?stream=true"])
  const asked = random.next() < 0.05 ? pick(random, ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "POST"]) : method
  const type = random.next() < 0.95 ? "application/json" : pick(random, ["", "text/plain", "multipart/form-data"])
  const headers: Record<string, string> = type === "" ? {} : { "content-type": type }
  if (random.next() < 0.1) headers["idempotency-key"] = pick(random, ["a", "b", "x".repeat(500)])
  const hasBody = asked !== "GET" && asked !== "HEAD"
  return { path, init: { method: asked, headers, ...(hasBody && { body: bodyOf(random) }) } }
}

test(`${requests} requests of any kind: no fault of the server, no hang, nothing of its inside`, async () => {
  const app = await createFakeApp({ adapters: ["one", "two"], contextLength: 256, maxAdapters: 6 })
  const random = rng(20_261_123, "fuzz")
  const seen = new Map<number, number>()
  for (let i = 0; i < requests; i++) {
    const { path, init } = requestOf(random)
    const response = await app.send(path, init)
    const text = await response.text()
    const told = `${init.method} ${path} ${String(init.body)}: ${response.status} ${text}`.slice(0, 2000)
    if (response.status >= 500) throw new Error(told)
    if (leaks.test(text)) throw new Error(`leaks: ${told}`)
    if (response.status >= 400 && init.method !== "HEAD") {
      const { error } = JSON.parse(text) as { error: Record<string, unknown> }
      expect(typeof error["message"]).toBe("string")
      expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"])
    }
    seen.set(response.status, (seen.get(response.status) ?? 0) + 1)
    if (i % 500 === 0) for (const name of ["one", "two"]) await app.post("/v1/adapters", { name, path: name })
  }
  expect(app.reported).toEqual([])
  const { active, waiting } = await app.engine.stats()
  expect([active, waiting, app.decoder.books.sequences]).toEqual([0, 0, 0])
  // It reached what it is about: answers, and refusals of every kind.
  expect([...seen.keys()].sort()).toEqual(expect.arrayContaining([200, 201, 400, 404, 405, 409, 415]))
  expect(seen.get(200)!).toBeGreaterThan(500)
}, 900_000)
