/**
 * @module Prefix tuning: keys and values before the first token, in every layer, trained with everything else frozen.
 *
 * Source: Li and Liang 2021, https://arxiv.org/abs/2101.00190. PEFT layout: `prompt_embeddings`
 * [virtual tokens, 2 * layers * kvHeads * headDim], each layer's keys before its values. With a projection, a table of
 * embeddings goes through two layers to become that; only the result is saved.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import type { Tensor } from "../src/core/tensor.ts"
import { f32 } from "../src/core/tensor.ts"
import { defineMethod, type Init, type MethodEnv, type ParameterSpec } from "../src/method.ts"
import type { PrefixSite } from "../src/models/site.ts"
import { graphMaths, type Maths, tensorMaths } from "./encoder-maths.ts"
import { refuseForeign } from "./lora-settings.ts"

const config = v.strictObject({
  virtualTokens: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096)), 16),
  /**
   * Where keys and values start: those that the base computes for random tokens (`sample-vocab`) or for `initText`
   * (`text`), zeros, or noise of deviation 1, as PEFT.
   */
  init: v.optional(v.picklist(["sample-vocab", "text", "zeros", "random"]), "sample-vocab"),
  initText: v.optional(v.nullable(v.string()), null),
  /** Width of the projection that prefixes are trained through; null to train keys and values themselves. */
  projection: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65536))), null),
})
type Config = v.InferOutput<typeof config>

const widthOf = ({ layers, kvHeads, headDim }: PrefixSite): number => 2 * layers * kvHeads * headDim

function initOf(c: Config, env: MethodEnv): Init {
  if (c.init === "zeros") return { kind: "zeros" }
  if (c.init === "random") return { kind: "normal", std: 1 }
  if (c.init === "sample-vocab") {
    const random = env.rng("prefix-tuning:sample-vocab")
    const ids = Array.from({ length: c.virtualTokens }, () => random.below(env.config.vocabSize))
    return { kind: "computed", make: ({ keysAndValues }) => keysAndValues(ids) }
  }
  const ids = c.initText ? env.encode(c.initText) : []
  if (ids.length === 0)
    throw new EspalierError("invalid_request", "Initialising from text needs a text of at least one token", {
      param: "method.initText",
    })
  // The text is repeated, then cut, to the wanted number of tokens.
  const repeated = Array.from({ length: c.virtualTokens }, (_, i) => ids[i % ids.length]!)
  return { kind: "computed", make: ({ keysAndValues }) => keysAndValues(repeated) }
}

/** A layer as PyTorch begins it. */
const linear = (name: string, inner: number, outer: number): ParameterSpec<string>[] => [
  {
    name: `${name}.weight`,
    key: `prompt_encoder.${name}.weight`,
    shape: [outer, inner],
    init: { kind: "uniform", bound: 1 / Math.sqrt(inner) },
  },
  {
    name: `${name}.bias`,
    key: `prompt_encoder.${name}.bias`,
    shape: [outer],
    init: { kind: "uniform", bound: 1 / Math.sqrt(inner) },
    decay: false,
  },
]

function prefixParams(site: PrefixSite, c: Config, env: MethodEnv): ParameterSpec<string>[] {
  const table = (features: number, init: Init): ParameterSpec<string> => ({
    name: "embedding.weight",
    key: "prompt_encoder.embedding.weight",
    shape: [c.virtualTokens, features],
    init,
  })
  if (c.projection === null) return [table(widthOf(site), initOf(c, env))]
  const features = site.kvHeads * site.headDim
  return [
    table(features, { kind: "normal", std: 1 }),
    ...linear("transform.0", features, c.projection),
    ...linear("transform.2", c.projection, widthOf(site)),
  ]
}

/** Keys and values [virtual tokens, 2 * layers * kvHeads * headDim]. */
function encode<T extends object>(m: Maths<T>, p: Readonly<Record<string, T>>, c: Config): T {
  const table = p["embedding.weight"]!
  if (c.projection === null) return table
  const inner = m.tanh(m.linear(table, p["transform.0.weight"]!, p["transform.0.bias"]!))
  return m.linear(inner, p["transform.2.weight"]!, p["transform.2.bias"]!)
}

export const prefixTuning = defineMethod({
  name: "prefix_tuning",
  summary: "learned keys and values before the text in every layer: more say than a prompt, no cost per token",
  source: "https://arxiv.org/abs/2101.00190",
  config,
  learningRate: 1e-2,
  virtualTokens: (c) => c.virtualTokens,
  params: (site, c, env) => (site.kind === "prefix" ? prefixParams(site, c, env) : []),
  stored: {
    params: (site, c) =>
      site.kind === "prefix"
        ? [
            {
              name: "prompt_embeddings",
              key: "prompt_embeddings",
              shape: [c.virtualTokens, widthOf(site)],
              init: { kind: "zeros" },
            },
          ]
        : [],
    from: (_site, p: Record<string, Tensor<"f32">>, c) => ({ prompt_embeddings: encode(tensorMaths, p, c) }),
  },
  hooks: {
    prefix({ g, site, layer }, p, c) {
      const { layers, kvHeads, headDim } = site
      const width = kvHeads * headDim
      const parts = g.split(encode(graphMaths(g), p, c), 1, new Array<number>(2 * layers).fill(width))
      const shaped = (half: number) => g.reshape(parts[2 * layer + half]!, [c.virtualTokens, kvHeads, headDim])
      return { keys: shaped(0), values: shaped(1) }
    },
  },
  finish(site, { prompt_embeddings }, c) {
    if (site.kind !== "prefix") return []
    const { layers, kvHeads, headDim } = site
    const width = kvHeads * headDim
    const [count, total] = [c.virtualTokens, widthOf(site)]
    const part = (index: number): Tensor<"f32"> => {
      const data = new Float32Array(count * width)
      for (let t = 0; t < count; t++)
        data.set(prompt_embeddings.data.subarray(t * total + index * width, t * total + (index + 1) * width), t * width)
      return f32([count, kvHeads, headDim], data)
    }
    return Array.from({ length: layers }, (_, layer) => ({
      form: "prefix" as const,
      layer,
      keys: part(2 * layer),
      values: part(2 * layer + 1),
    }))
  },
  peft: {
    type: "PREFIX_TUNING",
    write: (c, { config: base }) => ({
      auto_mapping: null,
      encoder_hidden_size: c.projection ?? base.kvHeads * base.headDim,
      init_weights: null,
      modules_to_save: null,
      // With grouped queries PEFT counts key-value heads here, and their width.
      num_attention_heads: base.kvHeads,
      num_layers: base.layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: c.virtualTokens,
      prefix_projection: c.projection !== null,
      revision: null,
      task_type: "CAUSAL_LM",
      token_dim: base.kvHeads * base.headDim,
    }),
    read(json) {
      refuseForeign(json, { num_transformer_submodules: 1, modules_to_save: null })
      return {
        virtualTokens: json["num_virtual_tokens"],
        init: "random",
        projection: json["prefix_projection"] ? json["encoder_hidden_size"] : null,
      }
    },
  },
})
