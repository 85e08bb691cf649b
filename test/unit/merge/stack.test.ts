import { describe, expect, test } from "bun:test"
import {
  checkAttention,
  layerOfWeight,
  parseLayers,
  stackedSettings,
  stackedWeights,
  stackLayers,
} from "../../../src/merge/stack.ts"
import { gemma2 } from "../../../src/models/gemma2.ts"
import { llama } from "../../../src/models/llama.ts"

const config = llama.parseConfig({
  vocab_size: 32,
  hidden_size: 16,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 24,
})

describe("parseLayers()", () => {
  const rows: readonly (readonly [string, number[]])[] = [
    ["2", [2]],
    ["0-2", [0, 1, 2]],
    ["0-1,1,3-2", [0, 1, 1, 3, 2]],
  ]
  for (const [text, wanted] of rows) test(text, () => expect(parseLayers(text)).toEqual(wanted))
  for (const text of ["", "a", "1-", "-1", "0..2"])
    test(`refuses ${JSON.stringify(text)}`, () =>
      expect(() => parseLayers(text)).toThrow("Expected layers such as 0-3,5"))
})

describe("stackLayers()", () => {
  test("counts the layers of all parts, one after the other", () => {
    const parts = [
      { name: "a", config, layers: [0, 2] },
      { name: "b", config, layers: [1] },
    ]
    expect(stackLayers(parts)).toEqual([
      { part: 0, layer: 0 },
      { part: 0, layer: 2 },
      { part: 1, layer: 1 },
    ])
  })
  test("refuses a layer that a base lacks, and bases that don't fit, with what differs", () => {
    expect(() => stackLayers([{ name: "a", config, layers: [3] }])).toThrow(
      'Base "a" has layers 0 to 2, but layer 3 is asked for',
    )
    const wide = { ...config, intermediateSize: 32, normEpsilon: 1 }
    const parts = [
      { name: "a", config, layers: [0] },
      { name: "b", config: wide, layers: [0] },
    ]
    expect(() => stackLayers(parts)).toThrow(/"a" and "b".*\n.*intermediateSize: 24 and 32\n.*normEpsilon/)
  })
})

test("stackedWeights() numbers layers anew and takes the rest from the first base", () => {
  const layers = [
    { part: 1, layer: 2 },
    { part: 0, layer: 0 },
  ]
  const names = ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"]
  expect([...stackedWeights(layers, names)]).toEqual([
    ["model.embed_tokens.weight", { part: 0, name: "model.embed_tokens.weight" }],
    ["model.layers.0.mlp.up_proj.weight", { part: 1, name: "model.layers.2.mlp.up_proj.weight" }],
    ["model.layers.1.mlp.up_proj.weight", { part: 0, name: "model.layers.0.mlp.up_proj.weight" }],
  ])
})

test("layerOfWeight() knows both ways of naming layers", () => {
  expect(layerOfWeight("transformer.h.11.ln_1.bias")?.layer).toBe(11)
  expect(layerOfWeight("model.layers.3.mlp.up_proj.weight")?.at(7)).toBe("model.layers.7.mlp.up_proj.weight")
  expect(layerOfWeight("transformer.ln_f.bias")).toBeNull()
})

test("stackedSettings() counts layers, by either name, and takes each layer's kind along", () => {
  const layers = [
    { part: 0, layer: 1 },
    { part: 1, layer: 0 },
    { part: 0, layer: 1 },
  ]
  expect(stackedSettings(layers, [{ n_layer: 2 }, { n_layer: 2 }])).toEqual({ n_layer: 3 })
  const json = (kinds: string[]) => ({ num_hidden_layers: 2, layer_types: kinds })
  expect(stackedSettings(layers, [json(["a", "b"]), json(["c", "d"])])).toEqual({
    num_hidden_layers: 3,
    layer_types: ["b", "c", "b"],
  })
})

describe("checkAttention()", () => {
  const json = {
    ...{ vocab_size: 32, hidden_size: 16, head_dim: 8, num_hidden_layers: 4, num_attention_heads: 2 },
    ...{ num_key_value_heads: 2, intermediate_size: 24, sliding_window: 8 },
  }
  const stack = (json: Record<string, unknown>, layers: readonly number[]) => {
    const part = { name: "a", config: gemma2.parseConfig(json) }
    const stacked = layers.map((layer) => ({ part: 0, layer }))
    checkAttention(gemma2.parseConfig({ ...json, ...stackedSettings(stacked, [json]) }), stacked, [part])
  }

  test("lets layers keep their windows, by their places or as config.json names them", () => {
    expect(() => stack(json, [0, 1, 2, 1])).not.toThrow()
    const layer_types = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
    expect(() => stack({ ...json, layer_types }, [0, 0, 1, 1])).not.toThrow()
  })
  test("refuses a layer that would lose its window by its place", () => {
    expect(() => stack(json, [0, 0, 1])).toThrow(/Layer 0 of "a" attends by .*"window":8.* as layer 1 .*"window":null/)
  })
})
