import { describe, expect, test } from "bun:test"
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
      expect((error as { hint: string }).hint).toBe("Known: llama, qwen2, gpt2")
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
    ["whose activation is not there", { ...llama, hidden_act: "gelu" }, /hidden_act is "gelu"/],
    ["whose biases are not there", { ...llama, attention_bias: true }, /attention_bias is true/],
    [
      "whose rope scaling is not there",
      { ...llama, rope_scaling: { rope_type: "yarn", factor: 2 } },
      /rope_type is "yarn"/,
    ],
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
    const config = architecture.parseConfig(small[architecture.modelType])
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
