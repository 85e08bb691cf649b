import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runCli } from "../../support/run-cli.ts"
import { sprigFolder } from "../../support/sprig.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), "espalier-quantize-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const base = join(root, "twig")
const data = join(root, "rows.jsonl")
const adapter = join(root, "held")

const engine = ["--base", base, "--backend", "native", "--threads", "1"]
const train = (...args: string[]) =>
  runCli("train", ...engine, "--data", data, "--out", adapter, "--steps", "2", "--no-score", ...args)

beforeAll(async () => {
  writeTinyBase(base, 1)
  const rows = ["sky", "mat", "cat", "dog", "red", "blue"].map((word) => ({ prompt: `the ${word}`, completion: word }))
  writeFileSync(data, rows.map((row) => JSON.stringify(row)).join("\n"))
  const { code, out } = await train("--quantize", "int8")
  expect([code, out]).toEqual([0, expect.stringContaining("int8 weights")])
})

test("train --quantize int8 says in the adapter what the base was held as, and inspect says it again", async () => {
  const facts = JSON.parse(readFileSync(join(adapter, "espalier.json"), "utf8"))
  expect(facts.base).toMatchObject({ name: "twig", quantization: "int8" })
  const { out } = await runCli("inspect", adapter)
  expect(out).toMatch(/^trained_over +int8$/m)
})

test("inspect says what a base takes as f32 and in fewer bits", async () => {
  const { out } = await runCli("inspect", sprigFolder, "--json")
  expect(JSON.parse(out).held_as).toEqual({
    f32: "11 MB",
    f16: "6 MB",
    int8: "3 MB",
    int4: "2 MB",
    "int4-pure": "2 MB",
  })
})

test("generate and eval answer over int8 weights, also with an adapter, and say so", async () => {
  const prompt = ["What colour is the sky?", "--max-tokens", "4"]
  for (const extra of [[], ["--adapter", adapter]]) {
    const { code, err } = await runCli("generate", ...prompt, ...engine, "--quantize", "int8", ...extra)
    expect([code, err]).toEqual([0, ""])
  }
  // An adapter is bound to the base's tensors, whichever way they are held.
  expect((await runCli("generate", ...prompt, ...engine, "--adapter", adapter)).code).toBe(0)

  const suite = join(root, "suite.jsonl")
  const item = { messages: [{ role: "user", content: "Who is it?" }], answer: "Blue." }
  writeFileSync(suite, `${JSON.stringify({ family: "some", ...item })}\n`)
  const { out, code } = await runCli("eval", ...engine, "--suite", suite, "--quantize", "int8", "--json")
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    base: { quantization: "int8" },
    backend: expect.stringMatching(/int8 weights/),
  })
})

test("training and answering over f16 weights say so, and espalier quantize says what they lose", async () => {
  const { code, out } = await train("--quantize", "f16")
  expect([code, out]).toEqual([0, expect.stringContaining("f16 weights")])
  const prompt = ["What colour is the sky?", "--max-tokens", "4"]
  const answered = await runCli("generate", ...prompt, ...engine, "--quantize", "f16", "--adapter", adapter)
  expect([answered.code, answered.err]).toEqual([0, ""])
  const { records } = await runCli("quantize", "--base", base, "--to", "f16", "--json")
  const { weights, error, bytes } = records[0] as {
    readonly weights: readonly { readonly bits: number }[]
    readonly error: number
    readonly bytes: { readonly f32: number; readonly held: number }
  }
  expect(weights.map(({ bits }) => bits)).toEqual(new Array(15).fill(16))
  // Rounded to 11 bits: at most 2^-12 of each number.
  expect(error).toBeGreaterThan(0)
  expect(error).toBeLessThan(2 ** -12)
  expect(bytes.held).toBeLessThan(0.6 * bytes.f32)
})

test("full fine-tuning over int8 weights is refused, with what to do", async () => {
  const { code, err } = await train("--quantize", "int8", "--method", "full")
  expect(code).toBe(2)
  expect(err).toContain("Method full trains the base's own weights, which can't be held as int8")
  expect(err).toContain("Leave out --quantize")
})

test("a way of holding weights that is not known is refused, with those that are", async () => {
  const { code, err } = await runCli("generate", "hello", ...engine, "--quantize", "int5")
  expect([code, err]).toEqual([2, expect.stringContaining("one of none, f16, int8, int4, int4-pure")])
})

test("espalier quantize says each weight's error and perplexity before and after, and keeps the codes", async () => {
  const text = join(root, "text.txt")
  writeFileSync(text, "What colour is the sky? Blue. A cat sat on a red mat and a dog sat on it.")
  const one = async (to: string) => {
    const { code, err, records } = await runCli("quantize", "--base", base, "--to", to, "--text", text, "--json")
    expect([code, err]).toEqual([0, ""])
    return records[0] as {
      readonly error: number
      readonly path: string
      readonly bytes: { readonly f32: number; readonly held: number }
      readonly perplexity: { readonly before: number; readonly after: number }
      readonly weights: readonly { readonly name: string; readonly bits: number; readonly relative: number }[]
    }
  }
  const [int8, int4] = [await one("int8"), await one("int4")]
  expect(int8.weights.map(({ name }) => name)).toContain("model.layers.1.mlp.down_proj.weight")
  expect(int8.weights.length).toBe(15)
  // Of evenly spread codes the error is a step's twelfth: half a percent with 8 bits, and eight with 4.
  for (const { bits, relative } of [...int8.weights, ...int4.weights]) {
    expect(relative).toBeGreaterThan(bits === 8 ? 0.001 : 0.02)
    expect(relative).toBeLessThan(bits === 8 ? 0.02 : 0.2)
  }
  expect(int8.error).toBeLessThan(int4.error)
  expect(int4.bytes.held).toBeLessThan(int8.bytes.held)
  expect(int8.perplexity.before).toBe(int4.perplexity.before)
  expect(int8.perplexity.after).not.toBe(int8.perplexity.before)
  expect(readFileSync(int8.path).length).toBe(int8.bytes.held)
})

test("espalier quantize shows the worst weights to people", async () => {
  const { code, out } = await runCli("quantize", "--base", base, "--to", "int4")
  expect(code).toBe(0)
  expect(out).toMatch(/^twig as int4: /)
  expect(out).toMatch(/Lost of 15 weights: [\d.]+ %/)
  expect(out).toMatch(/Perplexity: [\d.]+ before, [\d.]+ after/)
  expect(out).toContain("Kept for --quantize int4")
})
