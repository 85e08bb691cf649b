/**
 * @module Answering and training on Deno with leave to read files and the environment alone, as on Deno Deploy:
 * `deno test --allow-read --allow-env test/runtimes/deno/wasm.case.ts`.
 */
import assert from "node:assert/strict"
import process from "node:process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { lora } from "../../../adapters/lora.ts"
import server from "../../../src/entry/deno-serve.ts"
import { methodEnv } from "../../../src/presets/method-env.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { wasm } from "../../../src/runtime/wasm.ts"
import { trainExamples } from "../../../src/service/train-examples.ts"
import { grantedOf } from "./permissions.ts"

test("nothing is allowed but reading", async () => {
  assert.deepEqual(await grantedOf(["read", "env", "write", "net", "ffi", "run", "sys"]), ["read", "env"])
})

test("the entry of deno serve tries again to open a base that could not be opened, and says nothing of where it lies", async () => {
  process.env["ESPALIER_BASE"] = "/nowhere/at-all"
  const refused = await server.fetch(new Request("http://localhost/v1/models"))
  assert.equal(refused.status, 503)
  assert.doesNotMatch(await refused.text(), /nowhere/)
  delete process.env["ESPALIER_BASE"]
  assert.equal((await server.fetch(new Request("http://localhost/v1/models"))).status, 200)
})

test("without a key it answers its own machine only, whatever name a request gives", async () => {
  const from = async (hostname: string) =>
    (await server.fetch(new Request("http://localhost/v1/models"), { remoteAddr: { hostname } })).status
  assert.deepEqual([await from("127.0.0.1"), await from("::1"), await from("192.0.2.7")], [200, 200, 403])
})

test("the entry of deno serve answers whole and in a stream, and names what it doesn't know", async () => {
  const post = (body: object) =>
    server.fetch(
      new Request("http://localhost/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ max_tokens: 12, temperature: 0, ...body }),
      }),
    )
  const messages = [{ role: "user", content: "Copy this: Mira bought 3 apples in Talon." }]
  const whole = (await (await post({ model: "sprig", messages })).json()) as {
    readonly choices: readonly { readonly message: { readonly content: string } }[]
  }
  const text = whole.choices[0]!.message.content
  assert.notEqual(text, "")
  const events = await (await post({ model: "sprig", messages, stream: true })).text()
  const deltas = [...events.matchAll(/^data: (\{.*\})$/gm)].map(
    (match) =>
      (JSON.parse(match[1]!) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? "",
  )
  assert.equal(deltas.join(""), text)
  assert.match(events, /^data: \[DONE\]$/m)
  assert.equal((await post({ model: "nobody", messages })).status, 404)
})

test("a LoRA trains", async () => {
  const path = fileURLToPath(new URL("../../../models/sprig", import.meta.url))
  const { base, tokenizer } = await openBase(path, { cacheFolder: null })
  const { result } = await trainExamples({
    ...{ base, tokenizer: tokenizer!, runtime: await wasm.open({ threads: 1 }) },
    method: lora.prepare({ rank: 2 }),
    env: methodEnv(base, tokenizer, 1),
    examples: Array.from({ length: 16 }, (_, i) => ({
      prompt: `Mira bought ${i} apples.`,
      completion: `apples: ${i}`,
    })),
    ...{ batchSize: 8, heldoutPart: 0, seed: 1 },
    train: { epochs: 3, learningRate: 0.005, checkpointEvery: null },
  })
  assert.equal(result.losses.length, 6)
  assert.ok(result.losses.at(-1)! < result.losses[0]!, `${result.losses}`)
})
