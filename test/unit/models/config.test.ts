import { describe, expect, test } from "bun:test"
import type { LayerAttention } from "../../../src/models/architecture.ts"
import { architectureOf, architectures } from "../../../src/models/mod.ts"

const llama = {
  model_type: "llama",
  vocab_size: 8,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 2,
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
    [
      "whose rotation leaves a part of each head as it is",
      { ...llama, hidden_size: 16, partial_rotary_factor: 0.5 },
      /llama rotates whole heads, and partial_rotary_factor asks for 4 of 8/,
    ],
    [
      "whose rotation differs by kinds of layer that are not known",
      { ...llama, rope_parameters: { full_attention: { rope_theta: 5 } } },
      /rope_parameters has settings for each kind of layer \(full_attention\)/,
    ],
    [
      "whose weights are codes",
      { ...llama, quantization_config: { quant_method: "awq" } },
      /quantization_config \(awq\)/,
    ],
    ["whose layers differ", { ...llama, per_layer_config: { "0": { head_dim: 8 } } }, /per_layer_config/],
    ["of attention to another row", { model_type: "gpt2", add_cross_attention: true }, /add_cross_attention is true/],
    ["where heads don't share a row evenly", { model_type: "gpt2", n_embd: 10, n_head: 4 }, /no multiple of n_head 4/],
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

test("a multimodal model is refused with what its text model is", () => {
  expect.assertions(1)
  try {
    architectureOf({ model_type: "gemma3", text_config: { model_type: "gemma3_text" } })
  } catch (error) {
    expect((error as { hint: string }).hint).toEndWith(
      "It holds a gemma3_text, which this version opens where that is saved in a folder of its own",
    )
  }
})

describe("parseConfig() gives the same for a base as transformers 4 and 5 write it", () => {
  const rope = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
  const yarn = { factor: 4, original_max_position_embeddings: 16, mscale: 1, mscale_all_dim: 0.5, beta_fast: 20 }
  const long = { short_factor: [1, 2], long_factor: [3, 4] }
  const pairs: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
    ["llama", { rope_theta: 5e5 }, { rope_parameters: { rope_theta: 5e5, rope_type: "default" } }],
    ["llama", { rope_theta: 5e5, rope_scaling: null }, { rope_scaling: {}, rope_parameters: { rope_theta: 5e5 } }],
    [
      "llama",
      { rope_theta: 5e5, rope_scaling: { ...rope, rope_type: "llama3" } },
      { rope_parameters: { ...rope, rope_type: "llama3", rope_theta: 5e5 } },
    ],
    ["llama", { rope_scaling: { type: "linear", factor: 2 } }, { rope_parameters: { rope_type: "linear", factor: 2 } }],
    [
      "qwen2",
      { rope_theta: 1e6, rope_scaling: { ...yarn, type: "yarn" } },
      { rope_parameters: { ...yarn, rope_type: "yarn", rope_theta: 1e6 } },
    ],
    ["qwen3", { head_dim: 8, rope_theta: 1e6 }, { head_dim: 8, rope_parameters: { rope_theta: 1e6 } }],
    ["mistral", { head_dim: null, num_key_value_heads: null }, { head_dim: 4, num_key_value_heads: 2 }],
    [
      "smollm3",
      { rope_theta: 7, num_key_value_heads: 1 },
      { rope_parameters: { rope_theta: 7 }, num_key_value_heads: 1 },
    ],
    [
      "gemma3_text",
      { rope_theta: 5000, rope_local_base_freq: 70, rope_scaling: { rope_type: "linear", factor: 8 } },
      {
        layer_types: ["sliding_attention"],
        rope_parameters: {
          full_attention: { rope_type: "linear", factor: 8, rope_theta: 5000 },
          sliding_attention: { rope_type: "default", rope_theta: 70 },
        },
      },
    ],
    // What only older files call it, the reference reads no more.
    ["gemma2", { hidden_act: "relu" }, { hidden_activation: "gelu_pytorch_tanh" }],
    [
      "phi3",
      { partial_rotary_factor: 0.5, rope_theta: 7, hidden_size: 16, rope_scaling: { ...long, type: "su" } },
      {
        hidden_size: 16,
        original_max_position_embeddings: 4096,
        rope_scaling: null,
        rope_parameters: { ...long, rope_type: "longrope", rope_theta: 7, partial_rotary_factor: 0.5 },
      },
    ],
  ]
  for (const [i, [type, older, newer]] of pairs.entries())
    test(`${type}, ${i}`, () => {
      const read = (json: Record<string, unknown>) => {
        const all = { ...llama, model_type: type, ...json }
        return architectureOf(all).parseConfig(all)
      }
      expect(read(older)).toEqual(read(newer))
    })
})

test("what a class takes where config.json says nothing", () => {
  const read = (json: Record<string, unknown>) => architectureOf(json).parseConfig(json)
  const many = { ...llama, hidden_size: 64, num_attention_heads: 32, num_key_value_heads: undefined }
  expect(read({ ...many, model_type: "mistral" }).kvHeads).toBe(8)
  expect(read({ ...many, model_type: "smollm3" }).kvHeads).toBe(4)
  expect(read({ ...many, model_type: "granite" }).kvHeads).toBe(32)
  expect(read({ ...many, model_type: "qwen3" }).headDim).toBe(128)
  expect(read({ ...many, model_type: "qwen3", head_dim: null }).headDim).toBe(2)
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
