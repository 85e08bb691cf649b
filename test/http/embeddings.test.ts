import { describe, expect, test } from "bun:test"
import { createFakeApp } from "../support/fake-app.ts"

/** The fake's states are [1, id] for each token: their mean points along [1, mean id]. */
function vectorOf(text: string): number[] {
  const ids = [...text].map((letter) => letter.charCodeAt(0))
  const mean = ids.reduce((sum, id) => sum + id, 0) / ids.length
  const length = Math.hypot(1, mean)
  return [Math.fround(1 / length), Math.fround(mean / length)]
}

describe("POST /v1/embeddings", () => {
  test("answers in OpenAI's shape with a vector of length 1 for each input", async () => {
    const { post } = await createFakeApp()
    const response = await post("/v1/embeddings", { model: "base", input: ["ab", "a"] })
    expect(response.status).toBe(200)
    const body = (await response.json()) as { data: { embedding: number[] }[] }
    expect(body).toMatchObject({
      object: "list",
      model: "base",
      data: [
        { object: "embedding", index: 0 },
        { object: "embedding", index: 1 },
      ],
      usage: { prompt_tokens: 3, total_tokens: 3 },
    })
    for (const [i, text] of ["ab", "a"].entries())
      for (const [j, x] of vectorOf(text).entries()) expect(body.data[i]!.embedding[j]).toBeCloseTo(x, 6)
  })

  test("takes a text, token ids, or several of either, and names the adapter", async () => {
    const { post } = await createFakeApp({ adapters: ["one"] })
    const embeddingsOf = async (input: unknown) => {
      const response = await post("/v1/embeddings", { model: "one", input })
      expect(response.headers.get("x-espalier-adapter")).toStartWith("one@")
      return ((await response.json()) as { data: { embedding: number[] }[] }).data.map(({ embedding }) => embedding)
    }
    const [wanted] = await embeddingsOf("hello")
    const ids = [..."hello"].map((letter) => letter.charCodeAt(0))
    for (const input of [ids, ["hello"], [ids]]) expect(await embeddingsOf(input)).toEqual([wanted!])
  })

  test("gives little-endian bytes of f32 in base64 when asked to, as OpenAI's own client does", async () => {
    const { post } = await createFakeApp()
    const body = { model: "base", input: "abc", encoding_format: "base64" }
    const { data } = (await (await post("/v1/embeddings", body)).json()) as { data: { embedding: string }[] }
    const bytes = Uint8Array.from(atob(data[0]!.embedding), (c) => c.charCodeAt(0))
    expect([...new Float32Array(bytes.buffer)]).toEqual(vectorOf("abc").map((x) => expect.closeTo(x, 6)))
  })

  test("a long text is read in pieces, and closes what it opened", async () => {
    const lengths: number[] = []
    const { post, decoder } = await createFakeApp({ beforeAppend: (added) => void lengths.push(added.length) })
    expect((await post("/v1/embeddings", { model: "base", input: "x".repeat(600) })).status).toBe(200)
    expect(lengths).toEqual([256, 256, 88])
    expect(decoder.books.sequences).toBe(0)
  })

  const refusals: readonly (readonly [string, object, number, string | null])[] = [
    ["no input", { model: "base" }, 400, "input"],
    ["an empty text", { model: "base", input: "" }, 400, "input"],
    ["no texts", { model: "base", input: [] }, 400, "input"],
    ["texts and ids together", { model: "base", input: ["a", [1]] }, 400, "input.0"],
    ["ids that there are not", { model: "base", input: [999_999] }, 400, "prompt"],
    ["a text that the context does not hold", { model: "base", input: "x".repeat(5000) }, 400, "input"],
    ["other dimensions", { model: "base", input: "a", dimensions: 3 }, 400, "dimensions"],
    ["a format that there is not", { model: "base", input: "a", encoding_format: "hex" }, 400, "encoding_format"],
    ["a model that there is not", { model: "other", input: "a" }, 404, "model"],
  ]
  for (const [name, body, status, param] of refusals)
    test(`refuses ${name}`, async () => {
      const { post, decoder } = await createFakeApp()
      const response = await post("/v1/embeddings", body)
      expect(response.status).toBe(status)
      expect(((await response.json()) as { error: { param: string | null } }).error.param).toBe(param)
      expect(decoder.books.sequences).toBe(0)
    })
})
