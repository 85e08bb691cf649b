import { expect, test } from "bun:test"
import { createFakeApp } from "../support/fake-app.ts"

test("GET /metrics answers in Prometheus' text, and needs the key where there is one", async () => {
  const { get, post } = await createFakeApp({ adapters: ["one"] })
  const chat = { model: "one", messages: [{ role: "user", content: "hello" }], max_tokens: 4 }
  expect((await post("/v1/chat/completions", chat)).status).toBe(200)
  const response = await get("/metrics")
  expect(response.status).toBe(200)
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8")
  const text = await response.text()
  expect(text).toContain('espalier_requests_total{model="one",outcome="ok"} 1\n')
  expect(text).toContain("espalier_adapters 1\n")
  expect(text).not.toContain("hello")
  const guarded = await createFakeApp({ apiKey: "secret" })
  expect((await guarded.get("/metrics")).status).toBe(401)
  expect((await guarded.get("/metrics", { authorization: "Bearer secret" })).status).toBe(200)
})
