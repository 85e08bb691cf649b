/**
 * @module What the Llama-like architectures share by layout: module names, weights, sites, and the pre-norm block with
 * rotary grouped-query attention and SwiGLU. What differs (biases on q, k, v) is a value, and each assembly says it.
 */
import { EspalierError } from "../../core/errors.ts"
import type { Value } from "../../graph/ir.ts"
import type { ModelConfig, WeightGroup, WeightPart } from "../architecture.ts"
import { count, expectOneOf, flag, type Json, positive, ropeTheta } from "../config-reader.ts"
import type { Forward } from "../forward.ts"
import type { LinearSite, Site } from "../site.ts"

/** The fields that Llama-like configurations share. */
export function llamaLikeConfig(json: Json, modelType: string): ModelConfig {
  expectOneOf(json, "hidden_act", ["silu"], "silu")
  const hiddenSize = count(json, "hidden_size")
  const heads = count(json, "num_attention_heads")
  const kvHeads = count(json, "num_key_value_heads", heads)
  const headDim = count(json, "head_dim", Math.floor(hiddenSize / heads))
  if (heads % kvHeads !== 0) {
    throw new EspalierError(
      "invalid_file",
      `config.json: num_attention_heads ${heads} is no multiple of num_key_value_heads ${kvHeads}`,
    )
  }
  if (headDim % 2 !== 0)
    throw new EspalierError("invalid_file", `config.json: head_dim ${headDim} is odd, so it can't be rotated`)
  return {
    modelType,
    vocabSize: count(json, "vocab_size"),
    hiddenSize,
    layers: count(json, "num_hidden_layers"),
    heads,
    kvHeads,
    headDim,
    intermediateSize: count(json, "intermediate_size"),
    contextLength: count(json, "max_position_embeddings", 2048),
    normEpsilon: positive(json, "rms_norm_eps", 1e-6),
    rope: { theta: ropeTheta(json, 10000) },
    tiedHead: flag(json, "tie_word_embeddings", false),
  }
}

/** The linear layers of one block. */
function linears(config: ModelConfig, layer: number, qkvBias: boolean): LinearSite[] {
  const { hiddenSize: hidden, heads, kvHeads, headDim, intermediateSize } = config
  const site = (
    path: string,
    role: LinearSite["role"],
    inFeatures: number,
    outFeatures: number,
    bias = false,
  ): LinearSite => ({
    kind: "linear",
    path: `model.layers.${layer}.${path}`,
    role,
    layer,
    inFeatures,
    outFeatures,
    transposed: false,
    bias,
  })
  return [
    site("self_attn.q_proj", "q", hidden, heads * headDim, qkvBias),
    site("self_attn.k_proj", "k", hidden, kvHeads * headDim, qkvBias),
    site("self_attn.v_proj", "v", hidden, kvHeads * headDim, qkvBias),
    site("self_attn.o_proj", "o", heads * headDim, hidden),
    site("mlp.gate_proj", "gate", hidden, intermediateSize),
    site("mlp.up_proj", "up", hidden, intermediateSize),
    site("mlp.down_proj", "down", intermediateSize, hidden),
  ]
}

/** All sites of a Llama-like base. */
export function llamaLikeSites(config: ModelConfig, qkvBias: boolean): Site[] {
  const { hiddenSize: features, vocabSize: entries, kvHeads, headDim, layers } = config
  const sites: Site[] = [
    { kind: "embedding", path: "model.embed_tokens", role: "tokens", entries, features, tiedHead: config.tiedHead },
    { kind: "prompt", path: "", features },
    { kind: "prefix", path: "", layers, kvHeads, headDim },
  ]
  for (let layer = 0; layer < layers; layer++) {
    const block = `model.layers.${layer}`
    sites.push(
      { kind: "norm", path: `${block}.input_layernorm`, role: "attention", layer, features, bias: false },
      ...linears(config, layer, qkvBias),
      { kind: "residual", path: `${block}.self_attn`, role: "attention", layer, features },
      { kind: "norm", path: `${block}.post_attention_layernorm`, role: "mlp", layer, features, bias: false },
      { kind: "residual", path: `${block}.mlp`, role: "mlp", layer, features },
    )
  }
  sites.push({ kind: "norm", path: "model.norm", role: "final", layer: layers, features, bias: false })
  if (!config.tiedHead) {
    sites.push({
      kind: "linear",
      path: "lm_head",
      role: "head",
      layer: layers,
      inFeatures: features,
      outFeatures: entries,
      transposed: false,
      bias: false,
    })
  }
  return sites
}

/** All weights of a Llama-like base; q, k, v and gate, up lie side by side. */
export function llamaLikeWeights(config: ModelConfig, qkvBias: boolean): WeightGroup[] {
  const { hiddenSize: hidden, vocabSize } = config
  const alone = (name: string, shape: number[]): WeightGroup => ({ name, parts: [{ name, shape }] })
  const groups = [alone("model.embed_tokens.weight", [vocabSize, hidden])]
  for (let layer = 0; layer < config.layers; layer++) {
    const [q, k, v, o, gate, up, down] = linears(config, layer, qkvBias).map(
      (site): WeightPart => ({ name: `${site.path}.weight`, shape: [site.outFeatures, site.inFeatures] }),
    )
    const block = `model.layers.${layer}`
    groups.push(
      alone(`${block}.input_layernorm.weight`, [hidden]),
      { name: `${block}.qkv`, parts: [q!, k!, v!] },
      { name: `${block}.o`, parts: [o!] },
      alone(`${block}.post_attention_layernorm.weight`, [hidden]),
      { name: `${block}.gate_up`, parts: [gate!, up!] },
      { name: `${block}.down`, parts: [down!] },
    )
    if (qkvBias) {
      const bias = [q!, k!, v!].map(({ name, shape }) => ({
        name: name.replace(/weight$/, "bias"),
        shape: [shape[0]!],
      }))
      groups.push({ name: `${block}.qkv_bias`, parts: bias })
    }
  }
  groups.push(alone("model.norm.weight", [hidden]))
  if (!config.tiedHead) groups.push(alone("lm_head.weight", [vocabSize, hidden]))
  return groups
}

/** The pre-norm blocks: x += attention(norm(x)); x += down(silu(gate) * up). */
export function llamaLikeForward(f: Forward, config: ModelConfig): Value {
  const { g } = f
  let x = f.tokens("model.embed_tokens")
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `model.layers.${layer}`
    const h = f.norm(`${block}.input_layernorm`, x)
    const [q, k, v] = f.linears(
      [`${block}.self_attn.q_proj`, `${block}.self_attn.k_proj`, `${block}.self_attn.v_proj`],
      h,
    )
    x = f.residual(`${block}.self_attn`, x, f.linear(`${block}.self_attn.o_proj`, f.attention(layer, q!, k!, v!)))
    const m = f.norm(`${block}.post_attention_layernorm`, x)
    const [gate, up] = f.linears([`${block}.mlp.gate_proj`, `${block}.mlp.up_proj`], m)
    x = f.residual(`${block}.mlp`, x, f.linear(`${block}.mlp.down_proj`, g.mul(g.silu(gate!), up!)))
  }
  return f.norm("model.norm", x)
}
