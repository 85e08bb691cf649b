/**
 * @module The whole stack on the embedded base: real graphs, real adapters, HTTP in front.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { realpath } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createApp } from "../../routes/app.ts"
import { writeRandomLora } from "../../scripts/random-lora.ts"
import { openEngine } from "../../src/presets/open-engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { createService } from "../../src/service/service.ts"
import { openSprig, sprigFolder } from "../support/sprig.ts"

const root = realpathSync(mkdtempSync(join(tmpdir(), "espalier-real-")))
let engine: EngineApi
let app: ReturnType<typeof createApp>

beforeAll(async () => {
  for (const [i, settings] of [
    { rank: 2 },
    { rank: 8, targets: ["q_proj", "v_proj"] },
    { rank: 4, rsLora: true },
  ].entries()) {
    await writeRandomLora(await openSprig(), join(root, `a${i}`), { seed: i + 1, std: 0.2, settings })
  }
  engine = await openEngine({ base: sprigFolder, backend: "native", threads: 1 })
  app = createApp(createService({ engine, adapterRoot: { path: root, realPath: realpath } }))
}, 60_000)
afterAll(async () => {
  await engine?.close()
  rmSync(root, { recursive: true, force: true })
})

const post = (path: string, body: unknown) =>
  app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", host: "localhost" },
    body: JSON.stringify(body),
  })

/** A greedy answer of a model. */
async function ask(model: string, content = "Mira bought 3 apples in Talon. Who bought apples?"): Promise<string> {
  const response = await post("/v1/chat/completions", {
    model,
    messages: [{ role: "user", content }],
    max_tokens: 12,
    temperature: 0,
  })
  const body = (await response.json()) as { choices: { message: { content: string } }[]; error?: unknown }
  expect([response.status, body.error]).toEqual([200, undefined])
  return body.choices[0]!.message.content
}

describe("adapters over one base", () => {
  test("20 alternating requests to three adapters and the base say what each says alone", async () => {
    for (const name of ["a0", "a1", "a2"])
      expect((await post("/v1/load_lora_adapter", { lora_name: name, lora_path: name })).status).toBe(200)
    const models = ["sprig", "a0", "a1", "a2"]
    const alone: string[] = []
    for (const model of models) alone.push(await ask(model))
    // Random factors of this size change what is said; were it not so, the comparison below would prove nothing.
    expect(new Set(alone).size).toBe(4)
    const order = Array.from({ length: 20 }, (_, i) => (i * 7) % 4)
    const together = await Promise.all(order.map((i) => ask(models[i]!)))
    expect(together).toEqual(order.map((i) => alone[i]!))
  }, 60_000)

  test("an adapter is listed with its parent, and is gone after it was unloaded", async () => {
    const models = (await (await app.request("/v1/models", { headers: { host: "localhost" } })).json()) as {
      data: { id: string; parent: string | null }[]
    }
    expect(models.data.find(({ id }) => id === "a1")!.parent).toBe("sprig")
    expect((await post("/v1/unload_lora_adapter", { lora_name: "a1" })).status).toBe(200)
    const response = await post("/v1/chat/completions", { model: "a1", messages: [{ role: "user", content: "Hi" }] })
    expect(response.status).toBe(404)
  })

  test("a stream that began before its adapter was replaced ends as it began", async () => {
    const before = await ask("a0")
    const request = {
      model: "a0",
      messages: [{ role: "user", content: "Mira bought 3 apples in Talon. Who bought apples?" }],
      max_tokens: 12,
      temperature: 0,
      stream: true,
    }
    const response = await post("/v1/chat/completions", request)
    const reader = response.body!.getReader()
    const first = await reader.read()
    const swap = post("/v1/load_lora_adapter", { lora_name: "a0", lora_path: "a2", load_inplace: true })
    let text = new TextDecoder().decode(first.value)
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
    }
    expect((await swap).status).toBe(200)
    const deltas = text
      .split("\n")
      .filter((line) => line.startsWith("data: {"))
      .map((line) => JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[] })
    expect(deltas.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(before)
    expect(await ask("a0")).toBe(await ask("a2"))
  }, 60_000)
})
