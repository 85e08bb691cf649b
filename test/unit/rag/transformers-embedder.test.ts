/**
 * @module An embedder by transformers.js: the real package on a tiny model in a folder, without a network, and what is said
 * where the package or the model is missing.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openEmbedder } from "../../../src/presets/open-embedder.ts"
import type { Embedder } from "../../../src/rag/embedder.ts"
import { installed, transformersEmbedder } from "../../../src/rag/transformers-embedder.ts"
import { temporaryIndex } from "../../support/document-index.ts"
import { tinyEmbedding, writeTinyEmbedder } from "../../support/tiny-embedder.ts"

let folder: string
let model: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-embedder-"))
  model = join(folder, "tiny")
  await writeTinyEmbedder(model)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
const open = async (path: string): Promise<Embedder> => (await openEmbedder(path))!

const extract = async (texts: readonly string[]) => ({
  data: texts.flatMap((text) => [text.length, 1]),
  dims: [texts.length, 2],
})

describe("transformers.js on a model in a folder", () => {
  test("embeds what the model computes: the mean of its states, of length 1, texts of any lengths together", async () => {
    const embedder = await open(model)
    expect(embedder.name).toMatch(/^transformers\.js tiny [0-9a-f]{12}$/)
    expect(embedder.dimensions).toBe(8)
    const texts = ["the river", "a baker is here", "Stream", "the unheard word", ...Array<string>(20).fill("the lake")]
    const vectors = await embedder.embed(texts)
    expect(vectors.length).toBe(texts.length)
    for (const [i, vector] of vectors.entries())
      for (const [j, wanted] of tinyEmbedding(texts[i]!).entries())
        expect(Math.abs(vector[j]! - wanted)).toBeLessThan(1e-5)
    // Alone as among others: padding is masked.
    const [alone] = await embedder.embed(["the river"])
    expect(cosine(alone!, vectors[0]!)).toBeCloseTo(1, 5)
  })

  test("finds by meaning what words alone don't, and puts both rankings together", async () => {
    const temporary = await temporaryIndex(60, await open(model))
    try {
      const { index } = temporary
      const { id } = index.createCollection("", "default")
      for (const text of ["the river", "the baker", "a lake is here", "the word"])
        await index.put(id, { id: text, title: "", text, metadata: {} })
      const found = async (query: string) =>
        (await index.search({ collection: id, query, limit: 4 })).map(({ text, score }) => ({ text, score }))
      // "stream" stands nowhere; the model takes it for "river".
      const [first] = await found("stream")
      expect(first).toEqual({ text: "the river", score: 1 / 61 })
      // First by words and first by meaning: twice the score of a first place.
      expect((await found("baker"))[0]).toEqual({ text: "the baker", score: 2 / 61 })
      expect((await found("baker")).length).toBe(4)
    } finally {
      await temporary.remove()
    }
  })

  test("takes the weights that version 2 quantised where there are no others", async () => {
    const quantized = join(folder, "quantized")
    await writeTinyEmbedder(quantized)
    await rename(join(quantized, "onnx", "model.onnx"), join(quantized, "onnx", "model_quantized.onnx"))
    const [vector] = await (await open(quantized)).embed(["the river"])
    expect(cosine(vector!, tinyEmbedding("the river"))).toBeCloseTo(1, 5)
  })

  test("says what a folder lacks", async () => {
    await mkdir(join(folder, "empty"))
    await expect(openEmbedder(join(folder, "empty"))).rejects.toThrow(
      "has none of onnx/model.onnx, onnx/model_quantized",
    )
    const torn = join(folder, "torn")
    await writeTinyEmbedder(torn)
    await rm(join(torn, "tokenizer.json"))
    await expect(openEmbedder(torn)).rejects.toThrow(/can't be loaded: .*tokenizer/)
  })
})

describe("the package", () => {
  test("is version 4, or the older one, or its absence is told with what to do", async () => {
    const missing = async (name: string) => {
      throw new Error(`Cannot find package '${name}' imported from here`)
    }
    const error = await installed(missing).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "unavailable", param: "embedder" })
    expect((error as { hint: string }).hint).toContain("npm install @huggingface/transformers")
    const older = { pipeline: async () => extract, env: { localModelPath: "" } }
    const asked: string[] = []
    const found = await installed(async (name) => {
      asked.push(name)
      return name === "@xenova/transformers" ? older : missing(name)
    })
    expect(found).toBe(older)
    expect(asked).toEqual(["@huggingface/transformers", "@xenova/transformers"])
    // What is there and broken is not passed over.
    const broken = installed(() => Promise.reject(new Error("libvips is missing a symbol")))
    await expect(broken).rejects.toThrow("libvips")
  })

  test("of version 2 is asked in its own words", async () => {
    const asked: unknown[] = []
    const env = { localModelPath: "before" }
    const pipeline = async (...given: unknown[]) => {
      asked.push([...given, env.localModelPath])
      return extract
    }
    const local = { root: "/models", name: "mini", quantized: true, sha256: "ab".repeat(32) }
    await transformersEmbedder("/models/mini", { local, load: async () => ({ pipeline, env }) })
    expect(asked).toEqual([
      ["feature-extraction", "mini", { local_files_only: true, dtype: "q8", quantized: true }, "/models"],
    ])
    expect(env.localModelPath).toBe("before")
  })

  test("its pipeline is asked for mean-pooled vectors, a few texts at a time", async () => {
    const sizes: number[] = []
    const embedder = await transformersEmbedder("some/model", {
      load: async () => ({
        env: { localModelPath: "" },
        pipeline: async () => async (texts, options) => {
          sizes.push(texts.length)
          expect(options).toEqual({ pooling: "mean", normalize: true })
          return extract(texts)
        },
      }),
    })
    expect([embedder.name, embedder.dimensions]).toEqual(["transformers.js some/model", 2])
    const vectors = await embedder.embed(Array.from({ length: 20 }, (_, i) => "x".repeat(i + 1)))
    expect(sizes).toEqual([1, 16, 4])
    expect([...vectors[2]!].map((x) => x.toFixed(4))).toEqual([
      (3 / Math.sqrt(10)).toFixed(4),
      (1 / Math.sqrt(10)).toFixed(4),
    ])
    expect(
      [embedder.relevance(0.1), embedder.relevance(0.4), embedder.relevance(0.9)].map((x) => x.toFixed(2)),
    ).toEqual(["0.00", "0.50", "1.00"])
  })

  test("a model that isn't there is said to be missing", async () => {
    const failing = async () => ({
      env: { localModelPath: "" },
      pipeline: async () => {
        throw new Error("no such file")
      },
    })
    await expect(transformersEmbedder("none", { load: failing })).rejects.toThrow(
      "The embedder none can't be loaded: no such file",
    )
  })
})
