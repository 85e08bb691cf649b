/**
 * @module Going back to the version that was replaced, and llama.cpp's ids and scales of adapters.
 */
import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { readKeyring } from "../../src/service/keyring.ts"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"
import { fakeAdapter } from "../support/fake-decoder.ts"

const hash = (folder: string): string => fakeAdapter(`/srv/adapters/${folder}`).hash
const says = async (app: FakeApp, fields: object, headers: Record<string, string> = {}): Promise<string> => {
  const body = { model: "base", prompt: "x", temperature: 0, max_tokens: 12, ...fields }
  const response = await app.post("/v1/completions", body, headers)
  const { choices, error } = await response.json()
  return error?.message ?? choices[0].text
}

describe("POST /v1/adapters/{name}/rollback", () => {
  test("answers as before the replacement at once, and as after it when called once more", async () => {
    const app = await createFakeApp()
    await app.post("/v1/adapters", { name: "a", path: "first" })
    const first = await says(app, { model: "a" })
    await app.post("/v1/adapters", { name: "a", path: "second", replace: true })
    const second = await says(app, { model: "a" })
    expect(second).not.toBe(first)
    const back = await (await app.post("/v1/adapters/a/rollback", {})).json()
    expect([back.hash, back.previous_hash]).toEqual([hash("first"), hash("second")])
    expect(await says(app, { model: "a" })).toBe(first)
    expect((await app.get("/v1/adapters/a").then((response) => response.json())).hash).toBe(hash("first"))
    await app.post("/v1/adapters/a/rollback", {})
    expect(await says(app, { model: "a" })).toBe(second)
    // Loading the same once more is nothing to go back from.
    await app.post("/v1/adapters", { name: "a", path: "second", replace: true })
    expect((await (await app.post("/v1/adapters/a/rollback", {})).json()).hash).toBe(hash("first"))
  })

  test("with an Idempotency-Key is done once, however often it is sent", async () => {
    const app = await createFakeApp()
    await app.post("/v1/adapters", { name: "a", path: "first" })
    await app.post("/v1/adapters", { name: "a", path: "second", replace: true })
    const back = (key: string) => app.post("/v1/adapters/a/rollback", {}, { "idempotency-key": key })
    const answers = await Promise.all([back("k"), back("k"), back("k")])
    for (const answer of answers) expect([answer.status, (await answer.json()).hash]).toEqual([200, hash("first")])
    expect((await (await back("other")).json()).hash).toBe(hash("second"))
    const elsewhere = await app.post("/v1/adapters", { name: "b", path: "first" }, { "idempotency-key": "k" })
    expect(elsewhere.status).toBe(409)
  })

  test("needs a name that is there, and a version before", async () => {
    const app = await createFakeApp()
    expect((await app.post("/v1/adapters/a/rollback", {})).status).toBe(404)
    await app.post("/v1/adapters", { name: "a", path: "first" })
    expect((await app.post("/v1/adapters/a/rollback", {})).status).toBe(409)
    await app.post("/v1/adapters", { name: "a", path: "second", replace: true })
    await app.send("/v1/adapters/a", { method: "DELETE" })
    await app.post("/v1/adapters", { name: "a", path: "first" })
    expect((await app.post("/v1/adapters/a/rollback", {})).status).toBe(409)
  })

  test("keeps the 16 replaced last, and frees what gives way and what is unloaded", async () => {
    const app = await createFakeApp()
    const names = Array.from({ length: 20 }, (_, i) => `a${i}`)
    for (const name of names) await app.post("/v1/adapters", { name, path: "first" })
    for (const name of names) await app.post("/v1/adapters", { name, path: "second", replace: true })
    await app.engine.stats()
    expect(app.decoder.books.adapters).toBe(36)
    expect((await app.post("/v1/adapters/a3/rollback", {})).status).toBe(409)
    expect((await app.post("/v1/adapters/a4/rollback", {})).status).toBe(200)
    for (const name of names) await app.send(`/v1/adapters/${name}`, { method: "DELETE" })
    expect(app.decoder.books.adapters).toBe(0)
  })
})

describe("/lora-adapters", () => {
  test("lists by ids that last, at a scale of nothing", async () => {
    const app = await createFakeApp({ adapters: ["b", "a"] })
    const list = async () => (await app.get("/lora-adapters")).json()
    const [a, b] = await list()
    expect([a, b]).toEqual([
      { id: 0, path: "a", scale: 0, task_name: "", prompt_prefix: "" },
      { id: 1, path: "b", scale: 0, task_name: "", prompt_prefix: "" },
    ])
    await app.send("/v1/adapters/a", { method: "DELETE" })
    await app.post("/v1/adapters", { name: "c", path: "c" })
    expect(await list()).toEqual([b, { ...b, id: 2, path: "c" }])
  })

  test("sets what answers requests to the base, until it is set otherwise; names are answered by themselves", async () => {
    const app = await createFakeApp({ adapters: ["a", "b"] })
    const [bare, a, b] = [await says(app, {}), await says(app, { model: "a" }), await says(app, { model: "b" })]
    const done = await app.post("/lora-adapters", [{ id: 0, scale: 1 }])
    expect([done.status, await done.json()]).toEqual([200, { success: true }])
    expect(await says(app, {})).toBe(a)
    expect(await says(app, { model: "b" })).toBe(b)
    expect((await (await app.get("/lora-adapters")).json())[0].scale).toBe(1)
    await app.post("/lora-adapters", [{ id: 1, scale: 1 }])
    expect(await says(app, {})).toBe(b)
    await app.send("/v1/adapters/b", { method: "DELETE" })
    expect(await says(app, {})).toBe(bare)
    await app.post("/lora-adapters", [])
    expect(await says(app, {})).toBe(bare)
  })

  test("scales of a request go before those of all", async () => {
    const app = await createFakeApp({ adapters: ["a", "b"] })
    const [bare, b] = [await says(app, {}), await says(app, { model: "b" })]
    await app.post("/lora-adapters", [{ id: 0, scale: 1 }])
    expect(await says(app, { lora: [{ id: 1, scale: 1 }] })).toBe(b)
    expect(await says(app, { lora: [] })).toBe(bare)
    const mixed = await app.post("/v1/completions", {
      model: "base",
      prompt: "x",
      max_tokens: 1,
      lora: [
        { id: 0, scale: 0.5 },
        { id: 1, scale: -0.25 },
      ],
    })
    expect(mixed.headers.get("x-espalier-adapter")).toStartWith("a*0.5+b*-0.25@")
  })

  test("refuses ids that are none, what is no list, and a model beside weights", async () => {
    const app = await createFakeApp({ adapters: ["a"] })
    const param = async (asked: Promise<Response>): Promise<unknown> => {
      const response = await asked
      expect(response.status).toBe(400)
      return (await response.json()).error.param
    }
    expect(await param(app.post("/lora-adapters", [{ id: 7, scale: 1 }]))).toBe("0.id")
    expect(await param(app.post("/lora-adapters", [{ id: 0, scale: 1e9 }]))).toBe("0.scale")
    expect((await app.post("/lora-adapters", { id: 0, scale: 1 })).status).toBe(400)
    const ask = (fields: object) => app.post("/v1/completions", { model: "base", prompt: "x", ...fields })
    expect(await param(ask({ lora: [{ id: 7, scale: 1 }] }))).toBe("lora.0.id")
    expect(await param(ask({ model: "a", lora: [{ id: 0, scale: 1 }] }))).toBe("lora")
  })

  test("each tenant has its own", async () => {
    const key = (tenant: string) => ({
      name: tenant,
      sha256: createHash("sha256").update(`sk-${tenant}`).digest("hex"),
      scopes: ["infer", "admin"],
      tenant,
    })
    const keyring = readKeyring({ keys: [key("red"), key("blue")] })
    const app = await createFakeApp({ keyring })
    const as = (tenant: string) => ({ authorization: `Bearer sk-${tenant}` })
    await app.post("/v1/adapters", { name: "r", path: "r" }, as("red"))
    expect(await (await app.get("/lora-adapters", as("blue"))).json()).toEqual([])
    expect((await app.post("/v1/adapters/r/rollback", {}, as("blue"))).status).toBe(404)
    const bare = await says(app, {}, as("blue"))
    await app.post("/lora-adapters", [{ id: 0, scale: 1 }], as("red"))
    expect(await says(app, {}, as("blue"))).toBe(bare)
    expect(await says(app, {}, as("red"))).toBe(await says(app, { model: "r" }, as("red")))
  })
})
