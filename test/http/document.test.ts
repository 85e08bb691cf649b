/**
 * @module The API document: every route is in it, what it refers to is there, a good request fits it and a bad one does
 * not, and its page needs nothing from elsewhere. That live answers fit it every test over the fake app checks.
 */
import { expect, test } from "bun:test"
import { bodies } from "../../routes/openapi/components.ts"
import type { ApiDocument } from "../../routes/openapi/docs-page.ts"
import { routeScopes } from "../../routes/scopes.ts"
import { createFakeApp } from "../support/fake-app.ts"
import { contractOf } from "../support/fits-document.ts"
import { fitsSchema } from "../support/fits-schema.ts"

const documentOf = async (): Promise<ApiDocument> => {
  const app = await createFakeApp()
  return (await app.get("/openapi.json")).json()
}

test("every route is in the document, and no other", async () => {
  const { openapi, paths } = await documentOf()
  expect(openapi).toStartWith("3.1")
  const told = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const there = Object.keys(routeScopes).map((route) => route.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}"))
  expect(told.sort()).toEqual(there.sort())
})

test("operations have names of their own, the scopes of their routes, answers, errors and their path's parameters", async () => {
  const { paths } = await documentOf()
  const names = new Set<string>()
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      names.add(operation.operationId)
      const route = Object.entries(routeScopes).find(
        ([each]) => each.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}") === `${method.toUpperCase()} ${path}`,
      )!
      expect([path, operation.security.length]).toEqual([path, route[1] === "open" ? 0 : 1])
      expect(operation.summary).not.toBe("")
      expect(Object.keys(operation.responses)).toEqual([expect.stringMatching(/^20[01]$/), "default"])
      const inPath = (operation.parameters ?? []).filter((each) => each.in === "path").map(({ name }) => name)
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!))
    }
  }
  expect(names.size).toBe(Object.keys(routeScopes).length)
})

test("what is made once says so", async () => {
  const { paths } = await documentOf()
  const once = Object.entries(paths).flatMap(([path, { post }]) =>
    post?.parameters?.some(({ name }) => name === "Idempotency-Key") ? [path] : [],
  )
  expect(once.sort()).toEqual([
    "/v1/adapters",
    "/v1/adapters/{name}/rollback",
    "/v1/files",
    "/v1/fine_tuning/jobs",
    "/v1/load_lora_adapter",
    "/v1/rag/documents",
    "/v1/vector_stores",
    "/v1/vector_stores/{id}/file_batches",
    "/v1/vector_stores/{id}/files",
  ])
})

test("what it refers to is there", async () => {
  const document = await documentOf()
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!)
  expect(refs.length).toBeGreaterThan(50)
  for (const ref of new Set(refs)) {
    const found = ref.split("/").reduce<unknown>((part, key) => (part as Record<string, unknown>)?.[key], document)
    expect([ref, typeof found]).toEqual([ref, "object"])
  }
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(Object.keys(bodies)))
})

test("a request fits its schema exactly where the server takes it", async () => {
  const app = await createFakeApp()
  const document = await documentOf()
  const { schemas } = document.components
  const good = { model: "base", messages: [{ role: "user", content: "hi" }], max_tokens: 2, temperature: 0 }
  for (const spoilt of [{}, { temperature: 3 }, { n: 0 }, { n: 1.5 }, { messages: [] }, { model: 1 }, { stop: [7] }]) {
    const body = { ...good, ...spoilt }
    const { status } = await app.post("/v1/chat/completions", body)
    const fits = fitsSchema(body, schemas["ChatRequest"]!, document)
    expect([spoilt, fits]).toEqual([spoilt, status === 200])
  }
})

test("an answer with a field that the document lacks, or without one, is found", async () => {
  const { check } = contractOf(await documentOf())
  const card = { id: "a", object: "model", created: 1, owned_by: "x", root: "a", parent: null, max_model_len: 1 }
  await check("GET", "/v1/models/a/b", Response.json(card))
  await expect(check("GET", "/v1/models/a", Response.json({ ...card, more: 1 }))).rejects.toThrow("otherwise")
  await expect(check("GET", "/v1/models/a", Response.json({ ...card, root: undefined }))).rejects.toThrow("otherwise")
  await expect(check("GET", "/v1/models/a", Response.json(card, { status: 201 }))).rejects.toThrow("no 201")
  await expect(check("GET", "/v1/models/a", Response.json({ error: "no" }, { status: 400 }))).rejects.toThrow(
    "otherwise",
  )
})

test("document and page are open, and the page shows every route and loads nothing", async () => {
  const app = await createFakeApp({ apiKey: "sk-secret" })
  expect((await app.get("/v1/models")).status).toBe(401)
  expect((await app.get("/openapi.json")).status).toBe(200)
  const page = await app.get("/docs")
  expect(page.status).toBe(200)
  expect(page.headers.get("content-type")).toStartWith("text/html")
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'")
  const text = await page.text()
  for (const path of Object.keys((await documentOf()).paths)) expect(text).toContain(` ${path}</code>`)
  expect(text).not.toMatch(/<script|<link|<img|src=|url\(|https?:\/\//)
})
