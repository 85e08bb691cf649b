import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { f32 } from "../../../src/core/tensor.ts"
import type { Form } from "../../../src/forms/form.ts"
import type { GraphModel } from "../../../src/graph/ir.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { decodeGraph } from "../../../src/serve/decode-graph.ts"
import { decodeFeeds, featuresOf } from "../../../src/serve/decode-hooks.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-hooks-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeTinyBase(folder, 1)

const tiny = async () => (await openBase(folder, { cacheFolder: null })).base

const inputsOf = ({ inputs }: GraphModel): string[] =>
  inputs.flatMap(({ origin }) => (origin.kind === "input" ? [origin.name] : []))

const lora = (path: string, inFeatures: number, outFeatures: number): Form => ({
  form: "lowrank",
  path,
  a: f32([2, inFeatures], new Float32Array(2 * inFeatures).fill(1)),
  b: f32([outFeatures, 2], new Float32Array(outFeatures * 2).fill(1)),
  scale: 1,
})

test("an adapter of queries and values has products where they are computed and nowhere else", async () => {
  const base = await tiny()
  const { hiddenSize, heads, kvHeads, headDim } = base.config
  const forms = [
    lora("model.layers.0.self_attn.q_proj", hiddenSize, heads * headDim),
    lora("model.layers.0.self_attn.v_proj", hiddenSize, kvHeads * headDim),
  ]
  const features = featuresOf(base, forms)
  expect([...features].sort()).toEqual(["lowrank-q+k+v"])
  const graph = decodeGraph(base, { embeds: false, features }, 64)
  const fed = inputsOf(graph).filter((name) => /^[ab]\./.test(name))
  expect(fed.length).toBe(2 * base.config.layers)
  expect(fed.every((name) => /q_proj\+.*v_proj/.test(name))).toBe(true)
})

test("what a feature feeds is exactly what its nodes read", async () => {
  const base = await tiny()
  const plain = new Set(inputsOf(decodeGraph(base, { embeds: false, features: new Set() }, 64)))
  for (const feature of ["lowrank-q+k+v", "lowrank-down", "scale", "bias", "norm", "bottleneck-gelu"] as const) {
    const graph = decodeGraph(base, { embeds: false, features: new Set([feature]) }, 64)
    const read = inputsOf(graph).filter((name) => !plain.has(name))
    expect(Object.keys(await decodeFeeds(base, feature, [])).sort()).toEqual(read.sort())
  }
})
