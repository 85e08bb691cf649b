/**
 * @module Adapters in a bucket, from `espalier publish` to an answer: loaded by name and by request, replaced, refused where
 * they are damaged.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createApp } from "../../routes/app.ts"
import { locate } from "../../src/presets/adapter-stores.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openEngine } from "../../src/presets/open-engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { createService } from "../../src/service/service.ts"
import { type FakeS3, fakeS3Key, startFakeS3 } from "../support/fake-s3.ts"
import { writeRandomAdapter } from "../support/random-adapter.ts"
import { runCliWith } from "../support/run-cli.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-s3-"))
const base = join(root, "base")
const before = { ...process.env }
let s3: FakeS3
let engine: EngineApi
let env: Record<string, string>
let app: ReturnType<typeof createApp>

beforeAll(async () => {
  s3 = await startFakeS3()
  env = {
    AWS_ACCESS_KEY_ID: fakeS3Key,
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_REGION: "test-1",
    AWS_ENDPOINT_URL: s3.endpoint,
  }
  Object.assign(process.env, env)
  writeTinyBase(base, 1)
  const open = await openBase(base)
  for (const seed of [1, 2]) await writeRandomAdapter(open, join(root, `a${seed}`), { method: "lora", seed, std: 0.5 })
  engine = await openEngine({ base, backend: "native", threads: 1 })
  app = createApp(createService({ engine, adapterRoot: { path: "s3://models/team" } }))
}, 60_000)
afterAll(async () => {
  await engine?.close()
  await s3?.close()
  for (const name of Object.keys(env)) {
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  }
  rmSync(root, { recursive: true, force: true })
})

const post = async (path: string, body: object): Promise<{ status: number; body: ReturnType<typeof JSON.parse> }> => {
  const response = await app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", host: "localhost" },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}
/** What a model writes, with how sure it is of it. */
const ask = async (model: string): Promise<string> => {
  const asked = { model, prompt: "abc", temperature: 0, max_tokens: 8, ignore_eos: true, logprobs: 0 }
  const { status, body } = await post("/v1/completions", asked)
  return status === 200 ? JSON.stringify(body.choices[0]) : body.error.code
}
const publish = (...args: string[]) => runCliWith(env, "publish", ...args)

test("what is published answers as it does from disk, by request and by its whole address", async () => {
  const { code, out } = await publish(join(root, "a1"), "s3://models/team/support")
  expect([code, out]).toEqual([0, expect.stringContaining("as s3://models/team/support: ")])
  await engine.load("disk", { path: join(root, "a1") })
  const { status, body } = await post("/v1/adapters", { name: "support", path: "support" })
  expect([status, body.hash]).toEqual([201, (await engine.list()).find(({ name }) => name === "disk")!.hash])
  expect(await ask("support")).toBe(await ask("disk"))
  expect(await ask("support")).not.toBe(await ask(engine.info.base))
  const { root: told } = await (await app.request("http://localhost/v1/models/support")).json()
  expect(told).toBe("support")
  await engine.load("whole", { path: "s3://models/team/support" })
  expect(await ask("whole")).toBe(await ask("disk"))
})

test("a new version takes the name's place when it is loaded, and the old one comes back", async () => {
  const first = await ask("support")
  const { out } = await publish(join(root, "a2"), "s3://models/team/support", "--json")
  expect(JSON.parse(out)).toMatchObject({
    url: "s3://models/team/support",
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  expect(await ask("support")).toBe(first)
  await post("/v1/adapters", { name: "support", path: "support", replace: true })
  expect(await ask("support")).not.toBe(first)
  await post("/v1/adapters/support/rollback", {})
  expect(await ask("support")).toBe(first)
})

test("one that gave way in memory comes back from the bucket, as long as the same lies there", async () => {
  const small = await openEngine({ base, backend: "native", threads: 1, maxAdapters: 1 })
  const said = async (name: string): Promise<string> => {
    const { adapter, events } = await small.generate({ prompts: [{ text: "abc" }], adapter: name, maxTokens: 1 })
    for await (const _event of events);
    return adapter!.hash
  }
  for (const [i, name] of ["one", "two"].entries()) {
    await publish(join(root, `a${i + 1}`), `s3://models/team/${name}`)
    await small.load(name, { path: `s3://models/team/${name}` })
  }
  const [one, two] = await small.list()
  expect([one!.resident, two!.resident, one!.hash === two!.hash]).toEqual([false, true, false])
  expect(await Promise.all(["one", "two", "one"].map(said))).toEqual([one!.hash, two!.hash, one!.hash])
  const away = (await small.list()).find(({ resident }) => !resident)!
  await publish(join(root, away.name === "one" ? "a2" : "a1"), away.path!)
  await expect(said(away.name)).rejects.toMatchObject({
    code: "conflict",
    message: `Adapter "${away.name}" has changed since it was loaded`,
  })
  await small.close()
})

test("what is damaged, missing or out of reach is refused, and what serves goes on", async () => {
  const now = await ask("support")
  const load = async (path: string) => (await post("/v1/adapters", { name: "support", path, replace: true })).body.error
  for (const [key, object] of s3.objects) {
    if (key.includes("/blobs/"))
      s3.objects.set(
        key,
        object.map((byte) => byte ^ 1),
      )
  }
  const damaged = await load("support")
  expect([damaged.code, damaged.message]).toEqual(["invalid_file", expect.stringContaining("is damaged in the store")])
  expect(await load("none")).toMatchObject({ code: "not_found", param: "path" })
  expect(await load("../other/support")).toMatchObject({ code: "invalid_request", param: "path" })
  expect(await load("s3://other/support")).toMatchObject({ code: "invalid_request", param: "path" })
  process.env["AWS_REGION"] = "elsewhere-2"
  expect((await load("support")).message).toContain("The bucket refused with 403")
  process.env["AWS_REGION"] = "test-1"
  expect(await ask("support")).toBe(now)
})

test("addresses and credentials are asked for in so many words", async () => {
  for (const url of ["s3://models", "s3://Models/a", "s3://models/a/../b", "s3://models/a b", "s3:///a"])
    expect(() => locate(url, env)).toThrow("Expected s3://bucket/prefix/name")
  expect(() => locate("s3://models/a", {})).toThrow("needs credentials")
  expect(locate("s3://models/a/b/c", env)).toMatchObject({ prefix: "a/b/", name: "c" })
  expect((await publish(join(root, "a1"))).code).not.toBe(0)
  expect((await publish(join(root, "none"), "s3://models/x")).code).not.toBe(0)
})
