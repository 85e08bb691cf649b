/**
 * @module More adapters than memory holds, over HTTP: what is listed, what is said, and who sees it.
 */
import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { EspalierError } from "../../src/core/errors.ts"
import { readKeyring } from "../../src/service/keyring.ts"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"
import { fakeAdapter } from "../support/fake-decoder.ts"
import { fakeRoot, readFakeAdapter } from "../support/fake-engine.ts"

const says = async (app: FakeApp, model: string, headers: Record<string, string> = {}) => {
  const response = await app.post("/v1/completions", { model, prompt: "x", temperature: 0, max_tokens: 12 }, headers)
  const { choices, error } = await response.json()
  return {
    status: response.status,
    text: choices?.[0].text,
    error,
    adapter: response.headers.get("x-espalier-adapter"),
  }
}
const load = async (app: FakeApp, ...names: string[]): Promise<void> => {
  for (const name of names) expect((await app.post("/v1/adapters", { name, path: name })).status).toBe(201)
}
const data = async (app: FakeApp, path: string, headers: Record<string, string> = {}): Promise<{ id: string }[]> =>
  (await (await app.get(path, headers)).json()).data

test("adapters that were loaded by request beyond --max-adapters all answer, and stay in every list", async () => {
  const app = await createFakeApp({ maxAdapters: 2 })
  const names = ["a", "b", "c", "d", "e"]
  await load(app, ...names.slice(0, 4))
  const byVllm = await app.post("/v1/load_lora_adapter", { lora_name: "e", lora_path: "e" })
  expect(byVllm.status).toBe(200)
  const all = await Promise.all([...names, ...names].map((name) => says(app, name)))
  for (const [i, { status, adapter, text }] of all.entries()) {
    const name = names[i % 5]!
    const { hash } = fakeAdapter(`${fakeRoot}/${name}`)
    expect([status, text]).toEqual([200, all[i % 5]!.text])
    expect(adapter).toBe(`${name}@${hash.slice(0, 12)}`)
  }
  expect(new Set(all.map(({ text }) => text)).size).toBe(5)
  expect((await data(app, "/v1/models")).map(({ id }) => id)).toEqual(["base", ...names])
  const cards = (await data(app, "/v1/adapters")) as unknown as { id: string; resident: boolean }[]
  expect(cards.map(({ id }) => id)).toEqual(names)
  expect(cards.filter(({ resident }) => resident)).toHaveLength(2)
  const away = cards.find(({ resident }) => !resident)!
  expect(await (await app.get(`/v1/adapters/${away.id}`)).json()).toEqual(away)
  expect((await app.get(`/v1/models/${away.id}`)).status).toBe(200)
  const loras = (await (await app.get("/lora-adapters")).json()) as { id: number; path: string }[]
  expect(loras.map(({ path }) => path).sort()).toEqual(names)
  // Scales hold for what is not in memory, alone and in a mix.
  const { id } = loras.find(({ path }) => path === away.id)!
  expect((await app.post("/lora-adapters", [{ id, scale: 1 }])).status).toBe(200)
  expect((await says(app, "base")).text).toBe((await says(app, away.id)).text)
  const metrics = await (await app.get("/metrics")).text()
  expect(metrics).toContain("espalier_adapters 5\n")
  expect(metrics).toContain("espalier_adapters_resident 2\n")
  const total = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^espalier_adapter_${name}_total{model="[a-e]"} (\\d+)$`, "gm"))].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    )
  expect(total("evictions") - total("reloads")).toBe(3)
  expect(total("reloads")).toBeGreaterThan(3)
  // What was counted is not counted again.
  expect(await (await app.get("/metrics")).text()).toContain(/^espalier_adapter_reloads_total.*$/m.exec(metrics)![0])
  expect((await app.send(`/v1/adapters/${away.id}`, { method: "DELETE" })).status).toBe(200)
  expect((await says(app, away.id)).status).toBe(404)
})

test("a folder that changed or went is named without its place, and loaded anew with replace", async () => {
  const now = new Map<string, string | null>()
  const app = await createFakeApp({
    maxAdapters: 2,
    readAdapter: async (path) => {
      const instead = now.get(path)
      if (instead === null) throw new EspalierError("not_found", `There is no adapter folder ${path}`)
      return readFakeAdapter(instead ?? path)
    },
  })
  await load(app, "a", "b", "c")
  now.set(`${fakeRoot}/a`, "another")
  for (const [model, message] of [
    ["a", 'Adapter "a" has changed since it was loaded'],
    ["a*0.5+b*0.5", 'Adapter "a" has changed since it was loaded'],
  ]) {
    const { status, error } = await says(app, model!)
    expect([status, error.param, error.code]).toEqual([409, "model", "conflict"])
    expect(error.message).toContain(message!)
    expect(error.message).toContain("Load it again, with replace")
  }
  now.set(`${fakeRoot}/a`, null)
  const gone = await says(app, "a")
  expect([gone.status, gone.error.message.includes(fakeRoot)]).toEqual([409, false])
  expect(gone.error.message).toContain('Adapter "a" is gone from where it was loaded')
  const embedded = await app.post("/v1/embeddings", { model: "a", input: "x" })
  expect(embedded.status).toBe(409)
  now.set(`${fakeRoot}/a`, "another")
  const again = await app.post("/v1/adapters", { name: "a", path: "a", replace: true })
  expect([again.status, (await again.json()).hash]).toEqual([201, fakeAdapter("another").hash])
  expect((await says(app, "a")).status).toBe(200)
})

test("409 stays where nothing may give way", async () => {
  const app = await createFakeApp({ maxAdapters: 2, adapters: ["one", "two"] })
  const refused = await app.post("/v1/adapters", { name: "a", path: "a" })
  const { error } = await refused.json()
  expect([refused.status, error.code, error.param]).toEqual([409, "conflict", "name"])
  expect(error.message).toContain("2 adapters are loaded, which is the most this server holds")
})

test("a tenant's adapter that gave way is its own as before", async () => {
  const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex")
  const key = (name: string, tenant?: string) => ({
    ...{ name, sha256: sha256(`sk-${name}`), scopes: ["admin", "infer"] },
    ...(tenant !== undefined && { tenant }),
  })
  const keyring = readKeyring({ keys: [key("red", "red"), key("blue", "blue"), key("root")] })
  const as = (name: string) => ({ authorization: `Bearer sk-${name}` })
  const app = await createFakeApp({ keyring, maxAdapters: 1 })
  const put = (name: string, who: string) => app.post("/v1/adapters", { name, path: name }, as(who))
  expect((await put("secret", "red")).status).toBe(201)
  const before = await says(app, "secret", as("red"))
  expect((await put("other", "blue")).status).toBe(201)
  expect((await data(app, "/v1/adapters", as("red"))).map(({ id }) => id)).toEqual(["secret"])
  expect((await data(app, "/v1/models", as("blue"))).map(({ id }) => id)).toEqual(["base", "other"])
  expect((await says(app, "secret", as("blue"))).status).toBe(404)
  expect((await says(app, "secret*0.5", as("blue"))).status).toBe(404)
  expect((await put("secret", "blue")).status).toBe(409)
  expect(await says(app, "secret", as("red"))).toEqual(before)
  expect((await data(app, "/v1/adapters", as("root"))).map(({ id }) => id)).toEqual(["other", "secret"])
})
