/**
 * @module What the Llama-like architectures share by layout: module names, weights, sites, and the block of rotary
 * grouped-query attention and a gated feed-forward. What differs from one to the other is a value, {@link BlockTraits}.
 */
import { product } from "../../graph/dim.ts"
import type { Value } from "../../graph/ir.ts"
import { type Activation, activate, activationOf } from "../activation.ts"
import type { Architecture, ModelConfig, WeightGroup } from "../architecture.ts"
import { asObject, flag, type Json } from "../config-reader.ts"
import type { Forward } from "../forward.ts"
import type { LinearSite, NormSite, Site } from "../site.ts"

/** What tells one architecture's block from another's. */
export interface BlockTraits {
  /** Where norms stand: before each sub-layer, after it, or both. */
  readonly norms: "before" | "after" | "around"
  /** What is normed of queries and keys before they are rotated: each head, all heads as one, or nothing. */
  readonly queryKeyNorm: "head" | "whole" | null
  /** Whether q, k, v come as one layer `qkv_proj`, and gate and up as `gate_up_proj`. */
  readonly fused: boolean
  readonly activation: Activation
  /** Layers with biases. */
  readonly biases: { readonly qkv: boolean; readonly o: boolean; readonly mlp: boolean }
}

/** Llama's own block. */
export const llamaTraits: BlockTraits = {
  norms: "before",
  queryKeyNorm: null,
  fused: false,
  activation: "silu",
  biases: { qkv: false, o: false, mlp: false },
}

/** A configuration with what its weights and forward pass depend on beside it. */
export interface LlamaLikeConfig extends ModelConfig {
  readonly traits: BlockTraits
  /** What the embeddings of a row are multiplied by, virtual tokens included. */
  readonly rowScale: number
  /** What each sub-layer's result is multiplied by before it is added. */
  readonly branchScale: number
  /** What the last hidden states are multiplied by. */
  readonly lastScale: number
}

/** Biases as `attention_bias` and `mlp_bias` say. */
export function biasesOf(json: Json): BlockTraits["biases"] {
  const attention = flag(json, "attention_bias", false)
  return { qkv: attention, o: attention, mlp: flag(json, "mlp_bias", false) }
}

/**
 * An architecture of this layout.
 * @param read a configuration and its block, from config.json
 */
export function llamaLike(
  modelType: string,
  read: (json: Json) => {
    readonly config: ModelConfig
    readonly traits?: Partial<BlockTraits>
    readonly scales?: Partial<Pick<LlamaLikeConfig, "rowScale" | "branchScale" | "lastScale">>
  },
): Architecture {
  return {
    modelType,
    tokenEmbedding: "model.embed_tokens",
    parseConfig(json): LlamaLikeConfig {
      const object = asObject(json)
      const { config, traits, scales } = read(object)
      const activation = traits?.activation ?? activationOf(object, "hidden_act", "silu")
      const all = { ...llamaTraits, ...traits, activation }
      return { ...config, traits: all, rowScale: 1, branchScale: 1, lastScale: 1, ...scales }
    },
    weights: (config) => weights(config as LlamaLikeConfig),
    sites: (config) => sites(config as LlamaLikeConfig),
    forward: (f, config) => forward(f, config as LlamaLikeConfig),
  }
}

const blockPath = (layer: number): string => `model.layers.${layer}`

/** Names of a block's norms, by what they stand before and after. */
const normNames = {
  before: { beforeAttention: "input_layernorm", beforeMlp: "post_attention_layernorm" },
  after: { afterAttention: "post_attention_layernorm", afterMlp: "post_feedforward_layernorm" },
  around: {
    beforeAttention: "input_layernorm",
    afterAttention: "post_attention_layernorm",
    beforeMlp: "pre_feedforward_layernorm",
    afterMlp: "post_feedforward_layernorm",
  },
} as const satisfies Record<BlockTraits["norms"], Partial<Record<NormPlace, string>>>

type NormPlace = "beforeAttention" | "afterAttention" | "beforeMlp" | "afterMlp"

/** The path of a block's norm, or null where it has none there. */
function normPath({ traits }: LlamaLikeConfig, layer: number, place: NormPlace): string | null {
  const name = (normNames[traits.norms] as Partial<Record<NormPlace, string>>)[place]
  return name === undefined ? null : `${blockPath(layer)}.${name}`
}

/** Linear layers that read the same input, in groups that lie side by side: q, k, v; o; gate, up; down. */
function linears(config: LlamaLikeConfig, layer: number): { readonly name: string; readonly sites: LinearSite[] }[] {
  const { hiddenSize: hidden, heads, kvHeads, headDim, intermediateSize: wide, traits } = config
  const { biases, fused } = traits
  const site = (
    path: string,
    role: LinearSite["role"],
    inFeatures: number,
    outFeatures: number,
    bias: boolean,
  ): LinearSite => ({
    kind: "linear",
    path: `${blockPath(layer)}.${path}`,
    role,
    layer,
    inFeatures,
    outFeatures,
    transposed: false,
    bias,
  })
  const [q, kv] = [heads * headDim, kvHeads * headDim]
  return [
    {
      name: "qkv",
      sites: fused
        ? [site("self_attn.qkv_proj", "qkv", hidden, q + 2 * kv, biases.qkv)]
        : [
            site("self_attn.q_proj", "q", hidden, q, biases.qkv),
            site("self_attn.k_proj", "k", hidden, kv, biases.qkv),
            site("self_attn.v_proj", "v", hidden, kv, biases.qkv),
          ],
    },
    { name: "o", sites: [site("self_attn.o_proj", "o", q, hidden, biases.o)] },
    {
      name: "gate_up",
      sites: fused
        ? [site("mlp.gate_up_proj", "gate_up", hidden, 2 * wide, biases.mlp)]
        : [
            site("mlp.gate_proj", "gate", hidden, wide, biases.mlp),
            site("mlp.up_proj", "up", hidden, wide, biases.mlp),
          ],
    },
    { name: "down", sites: [site("mlp.down_proj", "down", wide, hidden, biases.mlp)] },
  ]
}

/** The norms of queries and keys. */
function queryKeyNorms({ heads, kvHeads, headDim, traits }: LlamaLikeConfig, layer: number): NormSite[] {
  const { queryKeyNorm } = traits
  if (queryKeyNorm === null) return []
  const site = (role: "q" | "k", heads: number): NormSite => ({
    kind: "norm",
    path: `${blockPath(layer)}.self_attn.${role}_norm`,
    role,
    layer,
    features: queryKeyNorm === "head" ? headDim : heads * headDim,
    bias: false,
  })
  return [site("q", heads), site("k", kvHeads)]
}

function sites(config: LlamaLikeConfig): Site[] {
  const { hiddenSize: features, vocabSize: entries, kvHeads, headDim, layers } = config
  const all: Site[] = [
    { kind: "embedding", path: "model.embed_tokens", role: "tokens", entries, features, tiedHead: config.tiedHead },
    { kind: "prompt", path: "", features },
    { kind: "prefix", path: "", layers, kvHeads, headDim },
  ]
  for (let layer = 0; layer < layers; layer++) {
    const norm = (place: NormPlace, role: "attention" | "mlp"): NormSite[] => {
      const path = normPath(config, layer, place)
      return path === null ? [] : [{ kind: "norm", path, role, layer, features, bias: false }]
    }
    const residual = (role: "attention" | "mlp", name: string): Site => ({
      kind: "residual",
      path: `${blockPath(layer)}.${name}`,
      role,
      layer,
      features,
    })
    all.push(
      ...norm("beforeAttention", "attention"),
      ...queryKeyNorms(config, layer),
      ...linears(config, layer).flatMap((group) => group.sites),
      ...norm("afterAttention", "attention"),
      residual("attention", "self_attn"),
      ...norm("beforeMlp", "mlp"),
      ...norm("afterMlp", "mlp"),
      residual("mlp", "mlp"),
    )
  }
  all.push({ kind: "norm", path: "model.norm", role: "final", layer: layers, features, bias: false })
  if (config.tiedHead) {
    const weight = "model.embed_tokens.weight"
    all.push({ kind: "tied_head", path: "lm_head", weight, inFeatures: features, outFeatures: entries })
  } else {
    all.push({
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
  return all
}

function weights(config: LlamaLikeConfig): WeightGroup[] {
  const { hiddenSize: hidden, vocabSize } = config
  const alone = (name: string, shape: number[]): WeightGroup => ({ name, parts: [{ name, shape }] })
  const groups = [alone("model.embed_tokens.weight", [vocabSize, hidden])]
  for (let layer = 0; layer < config.layers; layer++) {
    const norm = (place: NormPlace): void => {
      const path = normPath(config, layer, place)
      if (path !== null) groups.push(alone(`${path}.weight`, [hidden]))
    }
    const all = linears(config, layer)
    const add = ({ name, sites }: (typeof all)[number]): void => {
      const parts = sites.map((site) => ({ name: `${site.path}.weight`, shape: [site.outFeatures, site.inFeatures] }))
      groups.push({ name: `${blockPath(layer)}.${name}`, parts })
    }
    const [qkv, o, gateUp, down] = all
    norm("beforeAttention")
    add(qkv!)
    for (const { path, features } of queryKeyNorms(config, layer)) groups.push(alone(`${path}.weight`, [features]))
    add(o!)
    norm("afterAttention")
    norm("beforeMlp")
    add(gateUp!)
    add(down!)
    norm("afterMlp")
    for (const { name, sites } of all.filter(({ sites }) => sites[0]!.bias)) {
      const parts = sites.map((site) => ({ name: `${site.path}.bias`, shape: [site.outFeatures] }))
      groups.push({ name: `${blockPath(layer)}.${name}_bias`, parts })
    }
  }
  groups.push(alone("model.norm.weight", [hidden]))
  if (!config.tiedHead) groups.push(alone("lm_head.weight", [vocabSize, hidden]))
  return groups
}

/** The blocks: x += attention(x); x += down(activation(gate) * up), each with its norms. */
function forward(f: Forward, config: LlamaLikeConfig): Value {
  const { g } = f
  const { traits, branchScale } = config
  let x = g.mul(f.tokens("model.embed_tokens"), config.rowScale)
  for (let layer = 0; layer < config.layers; layer++) {
    const norm = (place: NormPlace, value: Value): Value => {
      const path = normPath(config, layer, place)
      return path === null ? value : f.norm(path, value)
    }
    const end = (name: string, place: NormPlace, branch: Value): Value =>
      f.residual(`${blockPath(layer)}.${name}`, x, g.mul(norm(place, branch), branchScale))
    const [q, k, v] = queriesKeysValues(f, config, layer, norm("beforeAttention", x))
    const mixed = f.linear(`${blockPath(layer)}.self_attn.o_proj`, f.attention(layer, q, k, v))
    x = end("self_attn", "afterAttention", mixed)
    const [gate, up] = gateAndUp(f, config, layer, norm("beforeMlp", x))
    const opened = activate(g, traits.activation, gate)
    x = end("mlp", "afterMlp", f.linear(`${blockPath(layer)}.mlp.down_proj`, g.mul(opened, up)))
  }
  return g.mul(f.norm("model.norm", x), config.lastScale)
}

function queriesKeysValues(f: Forward, config: LlamaLikeConfig, layer: number, x: Value): [Value, Value, Value] {
  const { g } = f
  const { heads, kvHeads, headDim, traits } = config
  const at = (name: string) => `${blockPath(layer)}.self_attn.${name}`
  const [q, kv] = [heads * headDim, kvHeads * headDim]
  const found = traits.fused
    ? g.split(f.linear(at("qkv_proj"), x), 1, [q, kv, kv])
    : f.linears([at("q_proj"), at("k_proj"), at("v_proj")], x)
  const normed = (value: Value, name: string, heads: number): Value => {
    if (traits.queryKeyNorm === null) return value
    if (traits.queryKeyNorm === "whole") return f.norm(at(name), value)
    const apart = g.reshape(value, [product([f.rows, heads]), headDim])
    return g.reshape(f.norm(at(name), apart), [f.rows, heads * headDim])
  }
  return [normed(found[0]!, "q_norm", heads), normed(found[1]!, "k_norm", kvHeads), found[2]!]
}

function gateAndUp(
  f: Forward,
  { traits, intermediateSize: wide }: LlamaLikeConfig,
  layer: number,
  x: Value,
): [Value, Value] {
  const at = (name: string) => `${blockPath(layer)}.mlp.${name}`
  const [gate, up] = traits.fused
    ? f.g.split(f.linear(at("gate_up_proj"), x), 1, [wide, wide])
    : f.linears([at("gate_proj"), at("up_proj")], x)
  return [gate!, up!]
}
