/**
 * @module GPT-2: learned positions, LayerNorm before each sub-layer, fused q, k, v, a feed-forward of two layers. Its Conv1D
 * layers store weights as [in, out]. Reference: transformers `models/gpt2/modeling_gpt2.py`.
 */
import { EspalierError } from "../core/errors.ts"
import type { Value } from "../graph/ir.ts"
import { type Activation, activate, activationOf } from "./activation.ts"
import { type Architecture, type ModelConfig, plainArithmetic, type WeightGroup } from "./architecture.ts"
import { asObject, count, expectOneOf, flag, positive } from "./config-reader.ts"
import type { Forward } from "./forward.ts"
import type { LinearSite, Site } from "./site.ts"

/** A configuration with what its forward pass depends on beside it. */
interface Gpt2Config extends ModelConfig {
  readonly activation: Activation
  /** Whether scores of layer n, from 1 on, are divided by n. */
  readonly scalesByLayer: boolean
}

const block = (layer: number): string => `transformer.h.${layer}`

function linears({ hiddenSize, intermediateSize }: ModelConfig, layer: number): LinearSite[] {
  const site = (path: string, role: LinearSite["role"], inFeatures: number, outFeatures: number): LinearSite => ({
    kind: "linear",
    path: `${block(layer)}.${path}`,
    role,
    layer,
    inFeatures,
    outFeatures,
    transposed: true,
    bias: true,
  })
  return [
    site("attn.c_attn", "qkv", hiddenSize, 3 * hiddenSize),
    site("attn.c_proj", "o", hiddenSize, hiddenSize),
    site("mlp.c_fc", "up", hiddenSize, intermediateSize),
    site("mlp.c_proj", "down", intermediateSize, hiddenSize),
  ]
}

function sites(config: ModelConfig): Site[] {
  const { hiddenSize: features, layers } = config
  const norm = (path: string, role: "attention" | "mlp" | "final", layer: number): Site => ({
    kind: "norm",
    path,
    role,
    layer,
    features,
    bias: true,
  })
  const all: Site[] = [
    {
      kind: "embedding",
      path: "transformer.wte",
      role: "tokens",
      entries: config.vocabSize,
      features,
      tiedHead: config.tiedHead,
    },
    {
      kind: "embedding",
      path: "transformer.wpe",
      role: "positions",
      entries: config.contextLength,
      features,
      tiedHead: false,
    },
    { kind: "prompt", path: "", features },
    { kind: "prefix", path: "", layers, kvHeads: config.kvHeads, headDim: config.headDim },
  ]
  for (let layer = 0; layer < layers; layer++) {
    all.push(
      norm(`${block(layer)}.ln_1`, "attention", layer),
      ...linears(config, layer),
      { kind: "residual", path: `${block(layer)}.attn`, role: "attention", layer, features },
      norm(`${block(layer)}.ln_2`, "mlp", layer),
      { kind: "residual", path: `${block(layer)}.mlp`, role: "mlp", layer, features },
    )
  }
  all.push(norm("transformer.ln_f", "final", layers))
  if (config.tiedHead) {
    const weight = "transformer.wte.weight"
    all.push({ kind: "tied_head", path: "lm_head", weight, inFeatures: features, outFeatures: config.vocabSize })
  } else {
    all.push({
      kind: "linear",
      path: "lm_head",
      role: "head",
      layer: layers,
      inFeatures: features,
      outFeatures: config.vocabSize,
      transposed: false,
      bias: false,
    })
  }
  return all
}

function weights(config: ModelConfig): WeightGroup[] {
  const groups: WeightGroup[] = []
  const add = (name: string, shape: number[]) => groups.push({ name, parts: [{ name, shape }] })
  for (const site of sites(config)) {
    if (site.kind === "embedding") add(`${site.path}.weight`, [site.entries, site.features])
    if (site.kind === "norm") {
      add(`${site.path}.weight`, [site.features])
      add(`${site.path}.bias`, [site.features])
    }
    if (site.kind === "linear") {
      add(
        `${site.path}.weight`,
        site.transposed ? [site.inFeatures, site.outFeatures] : [site.outFeatures, site.inFeatures],
      )
      if (site.bias) add(`${site.path}.bias`, [site.outFeatures])
    }
  }
  return groups
}

function forward(f: Forward, config: Gpt2Config): Value {
  const { g } = f
  const hidden = config.hiddenSize
  const positions = g.reshape(f.lookUp("transformer.wpe", f.positions), [f.rows, hidden])
  let x = g.add(f.tokens("transformer.wte"), positions)
  for (let layer = 0; layer < config.layers; layer++) {
    const h = f.norm(`${block(layer)}.ln_1`, x)
    const [q, k, v] = g.split(f.linear(`${block(layer)}.attn.c_attn`, h), 1, [hidden, hidden, hidden])
    const queries = config.scalesByLayer && layer > 0 ? g.mul(q!, 1 / (layer + 1)) : q!
    const mixed = f.attention(layer, queries, k!, v!)
    x = f.residual(`${block(layer)}.attn`, x, f.linear(`${block(layer)}.attn.c_proj`, mixed))
    const m = f.norm(`${block(layer)}.ln_2`, x)
    const wide = activate(g, config.activation, f.linear(`${block(layer)}.mlp.c_fc`, m))
    x = f.residual(`${block(layer)}.mlp`, x, f.linear(`${block(layer)}.mlp.c_proj`, wide))
  }
  return f.norm("transformer.ln_f", x)
}

export const gpt2: Architecture = {
  modelType: "gpt2",
  tokenEmbedding: "transformer.wte",
  parseConfig(json): Gpt2Config {
    const object = asObject(json)
    expectOneOf(object, "add_cross_attention", [false], false)
    const hiddenSize = count(object, "n_embd", 768)
    const heads = count(object, "n_head", 12)
    const layers = count(object, "n_layer", 12)
    if (hiddenSize % heads !== 0)
      throw new EspalierError("invalid_file", `config.json: n_embd ${hiddenSize} is no multiple of n_head ${heads}`)
    return {
      modelType: "gpt2",
      vocabSize: count(object, "vocab_size", 50257),
      hiddenSize,
      layers,
      heads,
      kvHeads: heads,
      headDim: hiddenSize / heads,
      intermediateSize: count(object, "n_inner", 4 * hiddenSize),
      contextLength: count(object, "n_positions", 1024),
      normEpsilon: positive(object, "layer_norm_epsilon", 1e-5),
      attention: Array.from({ length: layers }, () => ({ rope: null, window: null })),
      attentionScale: flag(object, "scale_attn_weights", true) ? 1 / Math.sqrt(hiddenSize / heads) : 1,
      ...plainArithmetic,
      tiedHead: flag(object, "tie_word_embeddings", true),
      activation: activationOf(object, "activation_function", "gelu_new"),
      scalesByLayer: flag(object, "scale_attn_by_inverse_layer_idx", false),
    }
  },
  weights,
  sites,
  forward: (f, config) => forward(f, config as Gpt2Config),
}
