/**
 * @module Keys with scopes and tenants, what is logged, deadlines and other origins.
 */
import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import type { RequestEntry } from "../../routes/middleware/request-log.ts"
import { routeScopes, scopeOf } from "../../routes/scopes.ts"
import { readKeyring, type Scope } from "../../src/service/keyring.ts"
import { createFakeApp, readEvents } from "../support/fake-app.ts"

const entry = (name: string, scopes: readonly Scope[], tenant?: string) => ({
  name,
  sha256: createHash("sha256").update(`sk-${name}`).digest("hex"),
  scopes,
  ...(tenant !== undefined && { tenant }),
})
const keyring = readKeyring({
  keys: [
    entry("reader", ["infer"]),
    entry("trainer", ["train"]),
    entry("root", ["admin"]),
    entry("red", ["infer", "admin"], "red"),
    entry("blue", ["infer", "admin"], "blue"),
  ],
})
const as = (name: string) => ({ authorization: `Bearer sk-${name}` })
const messages = [{ role: "user", content: "hi" }]

describe("scopes", () => {
  test("are declared for every route there is, and for no other", async () => {
    const { routes } = await createFakeApp({ keyring })
    const declared = new Set(routes.filter((route) => !route.startsWith("ALL ")))
    expect([...declared].sort()).toEqual(Object.keys(routeScopes).sort())
  })

  test("let a key do what it may and nothing else, on every route", async () => {
    const app = await createFakeApp({ keyring })
    const allowed: Record<string, readonly string[]> = {
      reader: ["open", "infer"],
      trainer: ["open", "train"],
      root: ["open", "infer", "train", "admin"],
      nobody: ["open"],
    }
    for (const [route, scope] of Object.entries(routeScopes)) {
      const [method, pattern] = route.split(" ") as [string, string]
      const path = pattern.replace(/:\w+(\{[^}]*\})?/g, "x")
      expect(scopeOf(method, path)).toBe(scope)
      for (const [name, can] of Object.entries(allowed)) {
        const { status } = await app.send(path, { method, headers: as(name) })
        const found = status === 401 || status === 403 ? "refused" : "let in"
        expect([name, route, found]).toEqual([name, route, can.includes(scope) ? "let in" : "refused"])
      }
    }
  })

  test("deny by default: what is no route, or is written otherwise, needs admin", async () => {
    const app = await createFakeApp({ keyring })
    for (const path of ["/nowhere", "//v1/models", "/V1/models", "/v1%2Fmodels", "/v1/models/", "/v1/metrics"]) {
      expect([path, (await app.get(path, as("reader"))).status]).toEqual([path, 403])
      expect([path, (await app.get(path, as("root"))).status]).toEqual([path, 404])
      expect([path, (await app.get(path)).status]).toEqual([path, 401])
    }
    const body = await (await app.get("/metrics", as("reader"))).json()
    expect(body.error).toMatchObject({ type: "permission_error" })
  })

  test("come from a file in which every field is checked", () => {
    expect(() => readKeyring({ keys: [{ ...entry("a", ["infer"]), sha256: "sk-a" }] })).toThrow("keys.0.sha256")
    expect(() => readKeyring({ keys: [{ ...entry("a", ["infer"]), scopes: ["all"] }] })).toThrow("keys.0.scopes.0")
    expect(() => readKeyring({ keys: [{ ...entry("a", ["infer"]), scope: [] }] })).toThrow("scope")
    expect(() => readKeyring({ keys: [] })).toThrow("keys")
  })
})

describe("a tenant", () => {
  const setUp = async () => {
    const app = await createFakeApp({ keyring, adapters: ["common"] })
    expect((await app.post("/v1/adapters", { name: "secret", path: "red-1" }, as("red"))).status).toBe(201)
    return app
  }
  const idsOf = async (response: Response): Promise<string[]> =>
    ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id)

  test("sees the base, its own adapters and everybody's", async () => {
    const app = await setUp()
    for (const path of ["/v1/models", "/v1/adapters"]) {
      const base = path === "/v1/models" ? ["base"] : []
      expect(await idsOf(await app.get(path, as("red")))).toEqual([...base, "common", "secret"])
      expect(await idsOf(await app.get(path, as("blue")))).toEqual([...base, "common"])
      expect(await idsOf(await app.get(path, as("root")))).toEqual([...base, "common", "secret"])
    }
  })

  test("finds no trace of another's: not by name, in a merge, in a hint, or by taking it", async () => {
    const app = await setUp()
    const missing = [
      await app.get("/v1/models/secret", as("blue")),
      await app.get("/v1/adapters/secret", as("blue")),
      await app.send("/v1/adapters/secret", { method: "DELETE", headers: as("blue") }),
      await app.post("/v1/chat/completions", { model: "secret", messages }, as("blue")),
      await app.post("/v1/completions", { model: "secret", prompt: "a" }, as("blue")),
      await app.post("/v1/completions", { model: "common*0.5+secret*0.5", prompt: "a" }, as("blue")),
      await app.post("/v1/embeddings", { model: "secret", input: "a" }, as("blue")),
    ]
    expect(missing.map(({ status }) => status)).toEqual(missing.map(() => 404))
    for (const model of ["nothing", "nothing*0.5", "common*0.5+nothing*0.5"]) {
      for (const [path, fields] of [
        ["/v1/completions", { prompt: "a" }],
        ["/v1/chat/completions", { messages }],
        ["/v1/embeddings", { input: "a" }],
      ] as const) {
        const hint = await app.post(path, { model, ...fields }, as("blue"))
        expect([model, path, hint.status]).toEqual([model, path, 404])
        const { message } = (await hint.json()).error
        expect(message).toContain("This server has: base, common")
        expect(message).not.toContain("secret")
      }
    }
    expect((await app.get("/metrics", as("blue"))).status).toBe(403)
    expect((await app.get("/metrics", as("root"))).status).toBe(200)
    const take = { name: "secret", path: "blue-1", replace: true }
    expect((await app.post("/v1/adapters", take, as("blue"))).status).toBe(409)
    expect((await app.post("/v1/adapters", { ...take, name: "common" }, as("blue"))).status).toBe(409)
    expect((await app.send("/v1/adapters/common", { method: "DELETE", headers: as("blue") })).status).toBe(409)
    expect((await app.post("/v1/chat/completions", { model: "secret", messages }, as("red"))).status).toBe(200)
    expect((await app.post("/v1/adapters", { ...take, path: "red-2" }, as("red"))).status).toBe(201)
  })

  test("leaves a name free again when it unloads it, or the operator does", async () => {
    const app = await setUp()
    expect((await app.send("/v1/adapters/secret", { method: "DELETE", headers: as("red") })).status).toBe(200)
    expect((await app.post("/v1/adapters", { name: "secret", path: "b" }, as("blue"))).status).toBe(201)
    expect((await app.send("/v1/adapters/secret", { method: "DELETE", headers: as("root") })).status).toBe(200)
    expect((await app.post("/v1/adapters", { name: "secret", path: "missing" }, as("red"))).status).toBe(404)
    expect((await app.post("/v1/adapters", { name: "secret", path: "b" }, as("blue"))).status).toBe(201)
  })

  test("gets the name when two ask for it at once, and the other one does not", async () => {
    const app = await createFakeApp({ keyring })
    const load = (who: string) => app.post("/v1/adapters", { name: "x", path: who, replace: true }, as(who))
    const answers = await Promise.all([load("red"), load("blue")])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
  })
})

describe("a log entry", () => {
  test("says who asked for what and how it went, and nothing of what was said", async () => {
    const entries: RequestEntry[] = []
    const app = await createFakeApp({ keyring, onRequest: (each) => void entries.push(each) })
    const body = { model: "base", messages: [{ role: "user", content: "a private matter" }], max_tokens: 2 }
    const answer = await app.post("/v1/chat/completions?q=hidden", body, { ...as("red"), "x-request-id": "one" })
    expect(answer.headers.get("openai-processing-ms")).toMatch(/^\d+$/)
    await app.get("/nowhere", { "x-request-id": "two" })
    expect(entries).toEqual([
      {
        request_id: "one",
        method: "POST",
        path: "/v1/chat/completions",
        status: 200,
        ms: expect.any(Number),
        key: "red",
        tenant: "red",
      },
      {
        request_id: "two",
        method: "GET",
        path: "/nowhere",
        status: 401,
        ms: expect.any(Number),
        key: null,
        tenant: null,
      },
    ])
  })
})

describe("a deadline", () => {
  const never = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

  test("ends an answer that takes too long, in the engine too", async () => {
    const app = await createFakeApp({ requestTimeoutMs: 20, beforeAppend: never, contextLength: 100_000 })
    const request = { model: "base", messages, max_tokens: 90_000, ignore_eos: true }
    const response = await app.post("/v1/chat/completions", request)
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([408, "false"])
    expect((await response.json()).error.message).toContain("0.02 seconds")
    const events = await readEvents(await app.post("/v1/chat/completions", { ...request, stream: true }))
    expect(JSON.parse(events.at(-1)!).error.message).toContain("0.02 seconds")
    while ((await app.engine.stats()).active > 0) await never()
    expect(app.decoder.books.sequences).toBe(0)
  })
})

describe("another origin", () => {
  test("is let in if it is listed, and asks beforehand without a key", async () => {
    const app = await createFakeApp({ keyring, corsOrigins: ["https://app.example"] })
    const ask = (origin: string) =>
      app.send("/v1/chat/completions", {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
      })
    const asked = await ask("https://app.example")
    expect(asked.status).toBe(204)
    expect(asked.headers.get("access-control-allow-origin")).toBe("https://app.example")
    expect((await ask("https://evil.example")).headers.has("access-control-allow-origin")).toBe(false)
    const refused = await app.get("/v1/models", { origin: "https://app.example" })
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "https://app.example"])
  })

  test("does nothing to a server without a key, not by what browsers send unasked; pages of this machine and listed ones do", async () => {
    const app = await createFakeApp({ adapters: ["a"] })
    await app.post("/v1/adapters", { name: "a", path: "second", replace: true })
    const { hash } = await (await app.get("/v1/adapters/a")).json()
    const roll = (from: typeof app, origin: string) =>
      from.send("/v1/adapters/a/rollback", { method: "POST", headers: { origin } })
    for (const origin of ["https://evil.example", "null", "http://localhost.evil.example", "file://"]) {
      const response = await roll(app, origin)
      expect([origin, response.status]).toEqual([origin, 403])
      expect((await response.json()).error.message).toContain("--cors-origin")
    }
    expect((await (await app.get("/v1/adapters/a")).json()).hash).toBe(hash)
    for (const origin of ["http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]:5173"])
      expect([origin, (await roll(app, origin)).status]).toEqual([origin, 200])
    const listed = await createFakeApp({ corsOrigins: ["https://app.example"] })
    expect((await listed.get("/v1/models", { origin: "https://app.example" })).status).toBe(200)
    expect((await listed.get("/v1/models", { origin: "https://x.example" })).status).toBe(403)
    const any = await createFakeApp({ corsOrigins: ["*"] })
    expect((await any.get("/v1/models", { origin: "null" })).status).toBe(200)
  })
})
