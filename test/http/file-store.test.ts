/**
 * @module Adapters in a store on disk, from `espalier publish` to an answer: by request and by address, replaced, refused where
 * they are damaged or lie elsewhere.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { createApp } from "../../routes/app.ts"
import { locate } from "../../src/presets/adapter-stores.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openEngineWorker } from "../../src/presets/open-engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { createService } from "../../src/service/service.ts"
import { writeRandomAdapter } from "../support/random-adapter.ts"
import { runCli } from "../support/run-cli.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const root = mkdtempSync(join(tmpdir(), "espalier file store-"))
const base = join(root, "base")
const folder = join(root, "kept here")
const store = pathToFileURL(folder).href
let engine: EngineApi
let app: ReturnType<typeof createApp>

beforeAll(async () => {
  writeTinyBase(base, 1)
  const open = await openBase(base)
  for (const seed of [1, 2]) await writeRandomAdapter(open, join(root, `a${seed}`), { method: "lora", seed, std: 0.5 })
  engine = await openEngineWorker({ base, backend: "native", threads: 1, maxAdapters: 2 })
  app = createApp(createService({ engine, adapterRoot: { path: store } }))
}, 60_000)
afterAll(async () => {
  await engine?.close()
  rmSync(root, { recursive: true, force: true })
})

const load = async (path: string): Promise<{ status: number; body: ReturnType<typeof JSON.parse> }> => {
  const response = await app.request("/v1/adapters", {
    method: "POST",
    headers: { "content-type": "application/json", host: "localhost" },
    body: JSON.stringify({ name: "support", path, replace: true }),
  })
  return { status: response.status, body: await response.json() }
}
/** The tokens that a model gives, and the version that gave them. */
const ask = async (adapter: string): Promise<string> => {
  const asked = { prompts: [{ text: "abc" }], adapter, maxTokens: 8, ignoreEos: true, sampling: { temperature: 0 } }
  const { adapter: version, events } = await engine.generate(asked)
  const ids: number[] = []
  for await (const event of events) if (event.type === "text-delta") ids.push(...event.tokens.map(({ id }) => id))
  return `${version!.hash} ${ids.join(" ")}`
}
const publish = (from: string, address: string) => runCli("publish", join(root, from), address, "--json")

test("what is published answers as it does from its folder, by request and by its whole address", async () => {
  const { code, out } = await publish("a1", `${store}/support`)
  expect([code, JSON.parse(out)]).toEqual([
    0,
    expect.objectContaining({ url: `${store}/support`, files: 4, uploaded: 4 }),
  ])
  await engine.load("disk", { path: join(root, "a1") })
  expect((await load("support")).status).toBe(201)
  await engine.load("whole", { path: `${store}/support` })
  // One of them has given way to the others: it comes back from the store.
  expect((await engine.list()).filter(({ resident }) => resident)).toHaveLength(2)
  const said = await ask("disk")
  expect([await ask("support"), await ask("whole")]).toEqual([said, said])
})

test("each file is kept once, under its sha256, and a new version takes the name's place at once", async () => {
  const blobs = (): string[] => readdirSync(join(folder, "blobs")).sort()
  const before = blobs()
  expect(JSON.parse((await publish("a1", `${store}/again`)).out).uploaded).toBe(0)
  expect(blobs()).toEqual(before)
  expect(before.every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true)
  const first = await ask("support")
  await publish("a2", `${store}/support`)
  expect((await load("support")).status).toBe(201)
  expect(await ask("support")).not.toBe(first)
  expect(before.every((name) => blobs().includes(name))).toBe(true)
})

test("what is damaged, missing or elsewhere is refused, and what serves goes on", async () => {
  const now = await ask("support")
  await publish("a1", `${store}/other`)
  const { files } = JSON.parse(readFileSync(join(folder, "adapters/other.json"), "utf8"))
  const blob = join(folder, "blobs", files["adapter_model.safetensors"].sha256)
  writeFileSync(
    blob,
    readFileSync(blob).map((byte) => byte ^ 1),
  )
  expect((await load("other")).body.error).toMatchObject({
    code: "invalid_file",
    message: expect.stringContaining("is damaged in the store"),
  })
  rmSync(blob)
  expect((await load("other")).body.error.message).toContain("is missing from the store")
  expect((await load("none")).body.error).toMatchObject({ code: "not_found", param: "path" })
  for (const path of [
    "../support",
    "file:///etc/support",
    `${store}/../support`,
    `${pathToFileURL(root).href}/a1`,
    "/etc",
  ])
    expect((await load(path)).body.error).toMatchObject({ code: "invalid_request", param: "path" })
  expect(JSON.stringify((await load("none")).body)).not.toContain(root)
  expect(await ask("support")).toBe(now)
})

test("an address is a whole one", () => {
  for (const url of [
    "file:a",
    "file:///",
    "file://host/a",
    "file:///a/../b/c",
    "file:///a/%2e%2e/b/c",
    "file:///a/b%2Fc/d%",
    "file:///a?b",
  ])
    expect(() => locate(url, {})).toThrow("Expected file:///folder/name")
})
