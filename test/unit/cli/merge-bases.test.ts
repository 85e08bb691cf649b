import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { openRuntime } from "../../../src/presets/open-runtime.ts"
import { readAdapter } from "../../../src/presets/read-adapter.ts"
import type { Runtime } from "../../../src/runtime/runtime.ts"
import { graphDecoder } from "../../../src/serve/graph-decoder.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), "espalier-merge-bases-"))
const at = (name: string): string => join(root, name)
const gpt2 = join(import.meta.dir, "..", "..", "fixtures", "parity", "gpt2", "base")
let runtime: Runtime

/** Logits after some tokens [tokens, vocabulary]. */
async function logits({ base }: OpenBase, adapter: string | null = null): Promise<Float32Array> {
  const decoder = await graphDecoder({ runtime, base })
  const bound = adapter && (await decoder.bind(await readAdapter({ base } as OpenBase, adapter)))
  const sequence = await decoder.open(bound || null, 16)
  const found = (await sequence.append([3, 17, 9, 250, 41, 5], true)).slice()
  sequence.close()
  await decoder.dispose()
  return found
}

const distance = (x: Float32Array, y: Float32Array): number =>
  Math.hypot(...x.map((value, i) => value - y[i]!)) / Math.hypot(...y)

beforeAll(async () => {
  runtime = (await openRuntime("native", { threads: 1 })).runtime
  writeTinyBase(at("twig"), 1)
  writeTinyBase(at("branch"), 2)
})
afterAll(async () => {
  await runtime.dispose()
  rmSync(root, { recursive: true, force: true })
})

describe("espalier merge --fuse", () => {
  const methods: readonly (readonly [string, string, Record<string, unknown>, number])[] = [
    ["lora", "twig", { rank: 3, rsLora: true }, 0],
    ["dora", "twig", { rank: 2 }, 1],
    ["ia3", "twig", {}, 1],
    ["ln_tuning", "twig", {}, 1],
    ["lora", "gpt2", { rank: 3 }, 0],
    ["dora", "gpt2", { rank: 2 }, 1],
    ["ia3", "gpt2", {}, 1],
    ["bitfit", "gpt2", {}, 0],
    ["ln_tuning", "gpt2", {}, 1],
  ]
  for (const [method, name, settings, mean] of methods)
    test(`of ${method} into ${name} answers as the adapter does`, async () => {
      const folder = name === "gpt2" ? gpt2 : at(name)
      const open = await openBase(folder)
      const adapter = at(`${name}-${method}`)
      await writeRandomAdapter(open, adapter, { method, settings, seed: 1, mean, std: 0.1 })
      const out = at(`${name}-${method}-fused`)
      const { code, err } = await runCli("merge", adapter, "--base", folder, "--fuse", "--out", out)
      expect([code, err]).toEqual([0, ""])
      const fused = await logits(await openBase(out))
      expect(distance(fused, await logits(open, adapter))).toBeLessThan(1e-5)
      expect(distance(fused, await logits(open))).toBeGreaterThan(1e-3)
    })

  test("adds several of different kinds, by their weights, and says what was done", async () => {
    const open = await openBase(at("twig"))
    await writeRandomAdapter(open, at("lora"), { method: "lora", seed: 1 })
    await writeRandomAdapter(open, at("ia3"), { method: "ia3", seed: 1, mean: 1 })
    const args = ["--base", at("twig"), "--fuse", "--weights=0,1", "--out", at("mixed")]
    const { out } = await runCli("merge", at("lora"), at("ia3"), ...args)
    expect(out).toContain("Fused by linear: lora * 0 + ia3 * 1")
    expect(distance(await logits(await openBase(at("mixed"))), await logits(open, at("ia3")))).toBeLessThan(1e-5)
    const facts = JSON.parse(readFileSync(join(at("mixed"), "espalier.json"), "utf8"))
    expect(facts).toMatchObject({ method: "fuse", base: { name: "twig" }, merge: { method: "linear" } })
    expect(facts.merge.relative_error).toBeLessThan(1e-5)
  })

  test("of a TIES merge is that merge at full rank", async () => {
    const open = await openBase(at("twig"))
    await writeRandomAdapter(open, at("one"), { method: "lora", seed: 1 })
    await writeRandomAdapter(open, at("two"), { method: "lora", seed: 2 })
    const ties = [at("one"), at("two"), "--base", at("twig"), "--method", "ties", "--density", "0.3"]
    await runCli("merge", ...ties, "--fuse", "--out", at("fused"))
    await runCli("merge", ...ties, "--rank", "64", "--out", at("adapter"))
    expect(distance(await logits(await openBase(at("fused"))), await logits(open, at("adapter")))).toBeLessThan(1e-4)
  })

  test("with a rank fuses the update of that rank", async () => {
    const open = await openBase(at("twig"))
    await writeRandomAdapter(open, at("one"), { method: "lora", seed: 1 })
    const svd = [at("one"), "--base", at("twig"), "--method", "svd", "--rank", "2"]
    const { out } = await runCli("merge", ...svd, "--fuse", "--out", at("fused"), "--json")
    await runCli("merge", ...svd, "--out", at("adapter"))
    expect(distance(await logits(await openBase(at("fused"))), await logits(open, at("adapter")))).toBeLessThan(1e-5)
    expect(JSON.parse(out).report.error).toBeGreaterThan(0.1)
  })

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["prompt_tuning", "a soft prompt", /"soft" has a soft prompt/],
    ["bitfit", "biases that the base has no place for", /adds? a bias to model\.layers\.0\..*, which has none/],
  ]
  for (const [method, what, message] of refused)
    test(`refuses ${what}`, async () => {
      await writeRandomAdapter(await openBase(at("twig")), at("soft"), { method, seed: 1 })
      const { code, err } = await runCli("merge", at("soft"), "--base", at("twig"), "--fuse", "--out", at("x"))
      expect(code).toBe(2)
      expect(err).toMatch(message)
    })
})

describe("espalier merge --stack", () => {
  test("of all layers in order is the base itself", async () => {
    for (const folder of [at("twig"), gpt2]) {
      const { code, out } = await runCli("merge", "--stack", folder, "--out", at("same"))
      expect(code).toBe(0)
      expect(out).toContain("Stacked")
      const [same, base] = [await openBase(at("same")), await openBase(folder)]
      expect(distance(await logits(same), await logits(base))).toBeLessThan(1e-6)
    }
  })

  test("passes layers of several bases through, each where it was put", async () => {
    const stack = ["--stack", `${at("twig")}:0-1`, "--stack", `${at("branch")}:1`, "--stack", `${at("twig")}:0`]
    const { code, out } = await runCli("merge", ...stack, "--out", at("stacked"), "--json")
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      type: "stacked",
      layers: 4,
      stack: [{ layers: [0, 1] }, { layers: [1] }, { layers: [0] }],
    })
    const [stacked, twig, branch] = [
      (await openBase(at("stacked"))).base,
      (await openBase(at("twig"))).base,
      (await openBase(at("branch"))).base,
    ]
    expect(stacked.config.layers).toBe(4)
    const up = (layer: number) => `model.layers.${layer}.mlp.up_proj.weight`
    expect(await stacked.read(up(0))).toEqual(await twig.read(up(0)))
    expect(await stacked.read(up(1))).toEqual(await twig.read(up(1)))
    expect(await stacked.read(up(2))).toEqual(await branch.read(up(1)))
    expect(await stacked.read(up(3))).toEqual(await twig.read(up(0)))
    expect(await stacked.read("model.embed_tokens.weight")).toEqual(await twig.read("model.embed_tokens.weight"))
    expect(
      (await runCli("generate", "What?", "--base", at("stacked"), "--backend", "native", "--max-tokens", "2")).code,
    ).toBe(0)
  })

  const wrong: readonly (readonly [string, () => string[], number, RegExp])[] = [
    ["a layer that is not there", () => ["--stack", `${at("twig")}:0-7`], 2, /layers 0 to 1, but layer 2/],
    ["bases of other shapes", () => ["--stack", at("twig"), "--stack", gpt2], 3, /modelType: "llama" and "gpt2"/],
    ["an adapter among them", () => [at("one"), "--stack", at("twig")], 2, /Expected bases only/],
    ["a base that is not there", () => ["--stack", at("nobody")], 3, /nobody/],
  ]
  for (const [name, args, wanted, message] of wrong)
    test(`refuses ${name}`, async () => {
      const { code, err } = await runCli("merge", ...args(), "--out", at("x"))
      expect(code).toBe(wanted)
      expect(err).toMatch(message)
    })
})
