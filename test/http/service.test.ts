/**
 * @module Everything but generation: models, adapters, health, request ids, keys and hosts.
 */
import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../src/core/errors.ts"
import { createFakeApp } from "../support/fake-app.ts"
import { fakeAdapter } from "../support/fake-decoder.ts"

describe("GET /v1/models", () => {
  test("lists the base and its adapters, which name it as their parent", async () => {
    const app = await createFakeApp({ adapters: ["b", "a"], contextLength: 128 })
    await app.post("/v1/adapters", { name: "c", path: "team/c" })
    const shared = { object: "model", created: 1_700_000_000, owned_by: "espalier", max_model_len: 128 }
    expect(await (await app.get("/v1/models")).json()).toEqual({
      object: "list",
      data: [
        { id: "base", root: "base", parent: null, ...shared },
        { id: "a", root: "a", parent: "base", ...shared },
        { id: "b", root: "b", parent: "base", ...shared },
        { id: "c", root: "team/c", parent: "base", ...shared },
      ],
      has_more: false,
    })
    expect(await (await app.get("/v1/models/c")).json()).toEqual({ id: "c", root: "team/c", parent: "base", ...shared })
  })
})

describe("GET /health/ready", () => {
  test("says 503 once what computes is gone, while the process is alive", async () => {
    let gone = false
    const app = await createFakeApp({
      check() {
        if (gone) throw new EspalierError("unavailable", "The GPU was lost: unknown")
      },
    })
    expect((await app.get("/health/ready")).status).toBe(200)
    gone = true
    const refused = await app.get("/health/ready")
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ error: { code: "unavailable", message: "The GPU was lost: unknown" } })
    expect((await app.get("/health/live")).status).toBe(200)
  })
})

describe("/v1/adapters", () => {
  test("loads, lists, replaces and removes", async () => {
    const app = await createFakeApp()
    const loaded = await app.post("/v1/adapters", { name: "a", path: "first" })
    expect(loaded.status).toBe(201)
    const card = {
      id: "a",
      object: "adapter",
      method: "fake",
      bytes: 0,
      parent: "base",
      previous_hash: null,
      resident: true,
    }
    const hash = (folder: string): string => fakeAdapter(`/srv/adapters/${folder}`).hash
    expect(await loaded.json()).toEqual({ ...card, hash: hash("first") })
    expect((await app.post("/v1/adapters", { name: "a", path: "/srv/adapters/second" })).status).toBe(409)
    const replaced = await app.post("/v1/adapters", { name: "a", path: "/srv/adapters/second", replace: true })
    const now = { ...card, hash: hash("second"), previous_hash: hash("first") }
    expect(await replaced.json()).toEqual(now)
    expect(await (await app.get("/v1/adapters")).json()).toEqual({
      object: "list",
      data: [now],
      has_more: false,
    })
    expect(await (await app.get("/v1/adapters/a")).json()).toEqual(now)
    const removed = await app.send("/v1/adapters/a", { method: "DELETE" })
    expect(await removed.json()).toEqual({ id: "a", object: "adapter", deleted: true })
    expect((await app.get("/v1/adapters/a")).status).toBe(404)
    expect(app.decoder.books.adapters).toBe(0)
  })

  test("answers vLLM's routes in vLLM's words", async () => {
    const app = await createFakeApp()
    const load = { lora_name: "sql", lora_path: "sql-v1" }
    const loaded = await app.post("/v1/load_lora_adapter", load)
    expect([loaded.status, await loaded.text()]).toEqual([200, "Success: LoRA adapter 'sql' added successfully."])
    expect((await app.post("/v1/load_lora_adapter", load)).status).toBe(400)
    expect((await app.post("/v1/load_lora_adapter", { ...load, load_inplace: true })).status).toBe(200)
    const removed = await app.post("/v1/unload_lora_adapter", { lora_name: "sql" })
    expect([removed.status, await removed.text()]).toEqual([200, "Success: LoRA adapter 'sql' removed successfully."])
    expect((await app.post("/v1/unload_lora_adapter", { lora_name: "sql" })).status).toBe(404)
  })
})

describe("every answer", () => {
  test("carries a request id: the client's if it is a plain one, a fresh one otherwise", async () => {
    const app = await createFakeApp()
    const idOf = async (headers: Record<string, string>, path = "/v1/models"): Promise<string | null> =>
      (await app.get(path, headers)).headers.get("x-request-id")
    expect(await idOf({ "x-request-id": "my-id_7" })).toBe("my-id_7")
    expect(await idOf({ "x-request-id": "<script>" })).toMatch(/^req_[0-9a-f]{32}$/)
    expect(await idOf({ "x-request-id": "x".repeat(65) })).toMatch(/^req_/)
    expect(await idOf({}, "/nowhere")).toMatch(/^req_/)
    expect(await idOf({})).not.toBe(await idOf({}))
  })

  test("of a broken engine is an error object with nothing of the reason, and health says so", async () => {
    const app = await createFakeApp()
    await app.engine.close()
    const response = await app.post("/v1/completions", { model: "base", prompt: "x" })
    expect(response.status).toBe(503)
    expect((await response.json()).error).toMatchObject({ type: "server_error", code: "unavailable" })
    expect((await app.get("/health")).status).toBe(503)
  })
})

describe("an API key", () => {
  const key = "sk-test-123"
  const authorised = { authorization: `Bearer ${key}` }

  test("is asked for everywhere but at /health, on every method and path trick", async () => {
    const app = await createFakeApp({ apiKey: key, adapters: ["a"] })
    const paths = [
      "/v1/models",
      "/v1/models/base",
      "/v1/chat/completions",
      "/v1/completions",
      "/v1/adapters",
      "/v1/adapters/a",
      "/v1/load_lora_adapter",
      "/v1/unload_lora_adapter",
      "/v1/files",
      "/v1/files/file-1",
      "/v1/files/file-1/content",
      "/v1/fine_tuning/jobs",
      "/v1/fine_tuning/jobs/ftjob-1",
      "/v1/fine_tuning/jobs/ftjob-1/cancel",
      "/v1/fine_tuning/jobs/ftjob-1/events",
      "/v1/fine_tuning/jobs/ftjob-1/checkpoints",
      "/",
      "/nowhere",
      "//health",
      "/health/",
      "/HEALTH",
      "/%68ealth/x",
      "/v1%2Fmodels",
      "/health/..%2Fv1/models",
    ]
    for (const path of paths) {
      for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]) {
        const response = await app.send(path, { method })
        expect([path, method, response.status]).toEqual([path, method, 401])
        expect(response.headers.get("www-authenticate")).toBe("Bearer")
        expect(response.headers.get("x-request-id")).toMatch(/^req_/)
      }
    }
    expect((await app.get("/health")).status).toBe(200)
  })

  const rows: readonly [name: string, headers: Record<string, string>, status: number][] = [
    ["none", {}, 401],
    ["an empty header", { authorization: "" }, 401],
    ["no scheme", { authorization: key }, 401],
    ["another scheme", { authorization: `Basic ${btoa(key)}` }, 401],
    ["a scheme alone", { authorization: "Bearer" }, 401],
    ["a scheme and blanks", { authorization: "Bearer  " }, 401],
    ["two words", { authorization: `Bearer ${key} ${key}` }, 401],
    ["a wrong key of the same length", { authorization: "Bearer sk-test-124" }, 401],
    ["a prefix", { authorization: `Bearer ${key.slice(0, -1)}` }, 401],
    ["a longer key", { authorization: `Bearer ${key}4` }, 401],
    ["another case", { authorization: `Bearer ${key.toUpperCase()}` }, 401],
    ["in the wrong header", { "x-api-key": key }, 401],
    ["the key", authorised, 200],
    ["the key, scheme in lower case", { authorization: `bearer ${key}` }, 200],
  ]
  for (const [name, headers, status] of rows) {
    test(`${name}: ${status}`, async () => {
      const app = await createFakeApp({ apiKey: key })
      const response = await app.get("/v1/models", headers)
      expect(response.status).toBe(status)
      const text = await response.text()
      expect(text).not.toContain(key)
      if (status === 401) {
        expect(JSON.parse(text).error).toMatchObject({ type: "authentication_error", code: "invalid_api_key" })
      }
    })
  }

  test("is asked for before the body is looked at", async () => {
    const app = await createFakeApp({ apiKey: key })
    expect((await app.post("/v1/completions", "{")).status).toBe(401)
    expect((await app.post("/v1/completions", "{", authorised)).status).toBe(400)
  })
})

test("a server with a key answers to any name", async () => {
  const app = await createFakeApp({ apiKey: "k" })
  const request = new Request("http://espalier.example/v1/models", { headers: { authorization: "Bearer k" } })
  expect((await app.fetch(request)).status).toBe(200)
})

test("a server without a key answers to this machine's names only", async () => {
  const app = await createFakeApp()
  for (const host of ["localhost", "127.0.0.1:8000", "[::1]:8000"]) {
    expect((await app.fetch(new Request(`http://${host}/v1/models`))).status).toBe(200)
  }
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"]) {
    const response = await app.fetch(new Request(`http://${host}/v1/models`))
    expect(response.status).toBe(403)
    expect((await response.json()).error.type).toBe("permission_error")
  }
})
