import { expect, test } from "bun:test"
import { refuseUnsupported } from "../../../src/service/unsupported.ts"
import { createFakeApp } from "../../support/fake-app.ts"

test("what would change the answer and can't be honoured is refused by name", () => {
  const wrong: Record<string, unknown> = {
    audio: { voice: "a" },
    functions: [{ name: "f" }],
    function_call: { name: "f" },
    guided_json: {},
    modalities: ["text", "audio"],
    prediction: { type: "content", content: "a" },
    reasoning_effort: "high",
    service_tier: "flex",
    store: true,
    use_beam_search: true,
    min_tokens: 5,
  }
  for (const [field, value] of Object.entries(wrong))
    expect(() => refuseUnsupported({ [field]: value })).toThrow(`\`${field}\``)
})

test("what asks for what happens anyway passes, and so do labels and fields of nobody's", () => {
  refuseUnsupported({ store: false, tool_choice: "none", modalities: ["text"], service_tier: "auto", audio: null })
  refuseUnsupported({ user: "a", metadata: { a: "b" }, safety_identifier: "x", constructor: 1, toString: 2 })
  refuseUnsupported(null)
})

test("both completion routes refuse", async () => {
  const app = await createFakeApp()
  for (const [path, rest] of [
    ["/v1/chat/completions", { messages: [{ role: "user", content: "a" }] }],
    ["/v1/completions", { prompt: "a" }],
  ] as const) {
    const response = await app.post(path, { model: "base", ...rest, max_tokens: 1, store: true })
    expect(response.status).toBe(400)
    expect((await response.json()).error.param).toBe("store")
    expect((await app.post(path, { model: "base", ...rest, max_tokens: 1, store: false })).status).toBe(200)
  }
})
