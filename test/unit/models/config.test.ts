import { describe, expect, test } from "bun:test"
import type { LayerAttention } from "../../../src/models/architecture.ts"
import { architectureOf, architectures } from "../../../src/models/mod.ts"

const llama = {
  model_type: "llama",
  vocab_size: 8,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
}

describe("architectureOf()", () => {
  test("refuses an unknown model_type with the list of those that are known", () => {
    expect(() => architectureOf({ model_type: "mamba" })).toThrow(/"mamba" is not an architecture/)
    try {
      architectureOf({ model_type: "mamba" })
    } catch (error) {
      expect((error as { hint: string }).hint).toBe(
        "Known: llama, smollm3, mistral, qwen2, qwen3, gemma2, gemma3_text, phi3, olmo2, granite, gpt2",
      )
    }
  })
})

describe("parseConfig() names the field", () => {
  const bad: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    [
      "that is missing",
      { ...llama, hidden_size: undefined },
      /hidden_size to be a whole number of at least 1 but found nothing/,
    ],
    ["that is negative", { ...llama, num_hidden_layers: -1 }, /num_hidden_layers .* found -1/],
    ["that is a text", { ...llama, vocab_size: "8" }, /vocab_size .* found "8"/],
    ["whose activation is not there", { ...llama, hidden_act: "xielu" }, /hidden_act is "xielu"/],
    ["whose rope scaling is not there", { ...llama, rope_scaling: { rope_type: "su" } }, /rope_type is "su"/],
    ["of a rope scaling that is missing", { ...llama, rope_scaling: { type: "linear" } }, /factor to be a positive/],
    [
      "of a rope scaling that has too few factors",
      { ...llama, model_type: "phi3", rope_scaling: { type: "su", short_factor: [1], long_factor: [1] } },
      /short_factor to be 2 positive numbers/,
    ],
    ["that names too few layers", { ...llama, model_type: "gemma2", layer_types: [] }, /layer_types .* each of 1 /],
    [
      "whose kind of layer is not there",
      { ...llama, model_type: "qwen3", layer_types: ["chunked_attention"] },
      /layer_types is "chunked_attention"/,
    ],
    [
      "whose attention looks ahead",
      { ...llama, model_type: "gemma3_text", use_bidirectional_attention: true },
      /use_bidirectional_attention is true/,
    ],
    ["whose layers without positions are too few", { ...llama, model_type: "smollm3", no_rope_layers: [] }, /no_rope/],
    ["where heads don't share keys evenly", { ...llama, num_key_value_heads: 3 }, /no multiple of num_key_value_heads/],
    ["where a head can't be rotated", { ...llama, head_dim: 3 }, /head_dim 3 is odd/],
  ]
  for (const [name, json, message] of bad)
    test(name, () => expect(() => architectureOf(json).parseConfig(json)).toThrow(message))
})

test("every architecture declares a weight for each site, and no site twice", () => {
  const small: Record<string, Record<string, unknown>> = {
    llama: { ...llama, tie_word_embeddings: false },
    qwen2: { ...llama, model_type: "qwen2" },
    gpt2: {
      model_type: "gpt2",
      vocab_size: 8,
      n_embd: 8,
      n_layer: 1,
      n_head: 2,
      n_positions: 16,
      tie_word_embeddings: false,
    },
  }
  for (const architecture of architectures) {
    const { modelType } = architecture
    const config = architecture.parseConfig(small[modelType] ?? { ...llama, model_type: modelType })
    const weights = new Set(architecture.weights(config).flatMap(({ parts }) => parts.map(({ name }) => name)))
    const sites = architecture.sites(config)
    for (const site of sites) {
      if (site.kind === "linear" || site.kind === "norm" || site.kind === "embedding")
        expect(weights.has(`${site.path}.weight`)).toBe(true)
      if ((site.kind === "linear" || site.kind === "norm") && site.bias)
        expect(weights.has(`${site.path}.bias`)).toBe(true)
    }
    expect(new Set(sites.map(({ kind, path }) => `${kind}:${path}`)).size).toBe(sites.length)
  }
})

describe("parseConfig() says how each layer attends", () => {
  const attention = (json: Record<string, unknown>): readonly LayerAttention[] => {
    const all = { ...llama, num_hidden_layers: 6, ...json }
    return architectureOf(all).parseConfig(all).attention
  }
  const windows = (json: Record<string, unknown>) => attention(json).map(({ window }) => window)

  test("Mistral: all within a window, unless config.json says null", () => {
    expect(windows({ model_type: "mistral", sliding_window: 9 })).toEqual([9, 9, 9, 9, 9, 9])
    expect(windows({ model_type: "mistral" })[0]).toBe(4096)
    expect(windows({ model_type: "mistral", sliding_window: null })[0]).toBeNull()
  })
  test("Qwen: none without use_sliding_window, then those from max_window_layers on", () => {
    const json = { model_type: "qwen2", sliding_window: 9, max_window_layers: 4 }
    expect(windows(json)).toEqual([null, null, null, null, null, null])
    expect(windows({ ...json, use_sliding_window: true })).toEqual([null, null, null, null, 9, 9])
  })
  test("Gemma 2: every second layer within a window, the first one too", () => {
    expect(windows({ model_type: "gemma2", sliding_window: 9 })).toEqual([9, null, 9, null, 9, null])
  })
  test("Gemma 3: five of six within a window, where positions rotate by another base", () => {
    const old = { rope_theta: 5000, rope_local_base_freq: 70, rope_scaling: { rope_type: "linear", factor: 8 } }
    const found = attention({ model_type: "gemma3_text", sliding_window: 9, ...old })
    expect(found.map(({ window }) => window)).toEqual([9, 9, 9, 9, 9, null])
    expect(found[0]!.rope).toEqual({ theta: 70, dims: 256, scaling: null })
    expect(found[5]!.rope).toEqual({ theta: 5000, dims: 256, scaling: { kind: "linear", factor: 8 } })
    const nested = { sliding_attention: { rope_theta: 70 }, full_attention: { rope_theta: 5000 } }
    const [first, , , , , last] = attention({ model_type: "gemma3_text", rope_parameters: nested })
    expect([first!.rope!.theta, last!.rope!.theta]).toEqual([70, 5000])
  })
  test("SmolLM3: every fourth layer without positions, or those that no_rope_layers says", () => {
    const turns = (json: Record<string, unknown>) =>
      attention({ model_type: "smollm3", ...json }).map(({ rope }) => rope !== null)
    expect(turns({})).toEqual([true, true, true, false, true, true])
    expect(turns({ no_rope_layers: [0, 1, 1, 1, 1, 0] })).toEqual([false, true, true, true, true, false])
  })
  test("Phi-3 with LongRoPE: rows as long as its short factors are for", () => {
    const json = {
      ...llama,
      model_type: "phi3",
      max_position_embeddings: 64,
      original_max_position_embeddings: 16,
      rope_scaling: { type: "su", short_factor: [1, 2], long_factor: [3, 4] },
    }
    const { contextLength, attention: layers } = architectureOf(json).parseConfig(json)
    expect(contextLength).toBe(16)
    const attentionFactor = Math.sqrt(1 + Math.log(4) / Math.log(16))
    expect(layers[0]!.rope!.scaling).toEqual({ kind: "longrope", attentionFactor, factors: [1, 2] })
  })
})
