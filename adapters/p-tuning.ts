/**
 * @module P-tuning: virtual tokens that come out of a small encoder, an MLP or a two-way LSTM, which makes them easier to
 * learn than free embeddings. The encoder is left behind: only its output is saved and served.
 *
 * Source: Liu et al. 2021, https://arxiv.org/abs/2103.10385; layers and names as PEFT's `PromptEncoder`. PEFT layout:
 * `prompt_embeddings` [virtual tokens, hidden].
 */
import * as v from "valibot"
import { f32, type Tensor } from "../src/core/tensor.ts"
import { defineMethod, type ParameterSpec } from "../src/method.ts"
import { graphMaths, type Maths, tensorMaths } from "./encoder-maths.ts"
import { refuseForeign } from "./lora-settings.ts"

const whole = (least: number, most: number) => v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most))

const config = v.strictObject({
  virtualTokens: v.optional(whole(1, 4096), 16),
  encoder: v.optional(v.picklist(["mlp", "lstm"]), "mlp"),
  /** Width of the encoder; null for the base's hidden size. */
  encoderHidden: v.optional(v.nullable(whole(1, 65536)), null),
  /** Layers of the LSTM; the MLP always has three. */
  encoderLayers: v.optional(whole(1, 8), 2),
})
type Config = v.InferOutput<typeof config>

const PREFIX = "prompt_encoder"

/** A layer's weight and bias, or an LSTM's gates, as PyTorch begins them: uniform up to 1 / sqrt(`fan`). */
const uniform = (name: string, shape: readonly number[], fan: number): ParameterSpec<string> => ({
  name,
  key: `${PREFIX}.${name}`,
  shape,
  init: { kind: "uniform", bound: 1 / Math.sqrt(fan) },
  ...(shape.length === 1 && { decay: false }),
})
const linear = (name: string, inner: number, outer: number): ParameterSpec<string>[] => [
  uniform(`${name}.weight`, [outer, inner], inner),
  uniform(`${name}.bias`, [outer], inner),
]

/** Directions of an LSTM's layer, by the end of their parameters' names. */
const directions = (layer: number): readonly [string, string] => [`l${layer}`, `l${layer}_reverse`]

function encoderParams(c: Config, features: number): ParameterSpec<string>[] {
  const hidden = c.encoderHidden ?? features
  const embedding: ParameterSpec<string> = {
    name: "embedding.weight",
    key: `${PREFIX}.embedding.weight`,
    shape: [c.virtualTokens, features],
    init: { kind: "normal", std: 1 },
  }
  if (c.encoder === "mlp")
    return [
      embedding,
      ...linear("mlp_head.0", features, hidden),
      ...linear("mlp_head.2", hidden, hidden),
      ...linear("mlp_head.4", hidden, features),
    ]
  const lstm = Array.from({ length: c.encoderLayers }, (_, layer) =>
    directions(layer).flatMap((end) => [
      uniform(`lstm_head.weight_ih_${end}`, [4 * hidden, layer === 0 ? features : 2 * hidden], hidden),
      uniform(`lstm_head.weight_hh_${end}`, [4 * hidden, hidden], hidden),
      uniform(`lstm_head.bias_ih_${end}`, [4 * hidden], hidden),
      uniform(`lstm_head.bias_hh_${end}`, [4 * hidden], hidden),
    ]),
  ).flat()
  return [
    embedding,
    ...lstm,
    ...linear("mlp_head.0", 2 * hidden, 2 * hidden),
    ...linear("mlp_head.2", 2 * hidden, features),
  ]
}

/** One direction of an LSTM's layer over rows [n, in], to [n, hidden]. */
function direction<T extends object>(m: Maths<T>, x: T, p: Readonly<Record<string, T>>, end: string): T {
  const backwards = end.endsWith("reverse")
  const at = (name: string): T => p[`lstm_head.${name}_${end}`]!
  const fromInput = m.rows(m.linear(x, at("weight_ih"), at("bias_ih")))
  if (backwards) fromInput.reverse()
  let state: { h: T; c: T } | null = null
  const outputs: T[] = []
  for (const gates of fromInput) {
    // The first state is zero: of its product only the bias is left.
    const recurrent: T = state ? m.linear(state.h, at("weight_hh"), at("bias_hh")) : at("bias_hh")
    const [input, forget, cell, output] = m.parts(m.add(gates, recurrent), 4) as [T, T, T, T]
    const fresh: T = m.mul(m.sigmoid(input), m.tanh(cell))
    const c: T = state ? m.add(m.mul(m.sigmoid(forget), state.c), fresh) : fresh
    const h: T = m.mul(m.sigmoid(output), m.tanh(c))
    state = { h, c }
    outputs.push(h)
  }
  return m.stack(backwards ? outputs.reverse() : outputs)
}

/** The virtual tokens' embeddings [virtual tokens, features]. */
function encode<T extends object>(m: Maths<T>, p: Readonly<Record<string, T>>, c: Config): T {
  const layer = (x: T, name: string): T => m.linear(x, p[`${name}.weight`]!, p[`${name}.bias`]!)
  let x = p["embedding.weight"]!
  if (c.encoder === "mlp") {
    for (const name of ["mlp_head.0", "mlp_head.2"]) x = m.relu(layer(x, name))
    return layer(x, "mlp_head.4")
  }
  for (let i = 0; i < c.encoderLayers; i++) {
    const [forwards, backwards] = directions(i)
    x = m.beside(direction(m, x, p, forwards), direction(m, x, p, backwards))
  }
  return layer(m.relu(layer(x, "mlp_head.0")), "mlp_head.2")
}

export const pTuning = defineMethod({
  name: "p_tuning",
  summary: "virtual tokens through a small encoder: as small as prompt tuning once trained, steadier to train",
  source: "https://arxiv.org/abs/2103.10385",
  config,
  learningRate: 3e-3,
  virtualTokens: (c) => c.virtualTokens,
  params: (site, c) => (site.kind === "prompt" ? encoderParams(c, site.features) : []),
  stored: {
    params: (site, c) =>
      site.kind === "prompt"
        ? [
            {
              name: "prompt_embeddings",
              key: "prompt_embeddings",
              shape: [c.virtualTokens, site.features],
              init: { kind: "zeros" },
            },
          ]
        : [],
    from: (_site, p: Record<string, Tensor<"f32">>, c) => {
      // A vector is a row wherever an encoder reads it.
      const { shape, data } = encode(tensorMaths, p, c)
      return { prompt_embeddings: f32(shape, data) }
    },
  },
  hooks: { prompt: ({ g }, p, c) => encode(graphMaths(g), p, c) },
  finish: (_site, { prompt_embeddings }) => [{ form: "prompt", embeddings: prompt_embeddings }],
  peft: {
    type: "P_TUNING",
    write: (c, { config: base }) => ({
      auto_mapping: null,
      encoder_dropout: 0,
      encoder_hidden_size: c.encoderHidden ?? base.hiddenSize,
      encoder_num_layers: c.encoderLayers,
      encoder_reparameterization_type: c.encoder.toUpperCase(),
      num_attention_heads: base.heads,
      num_layers: base.layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: c.virtualTokens,
      revision: null,
      task_type: "CAUSAL_LM",
      token_dim: base.hiddenSize,
    }),
    read(json) {
      refuseForeign(json, { num_transformer_submodules: 1, modules_to_save: null })
      return {
        virtualTokens: json["num_virtual_tokens"],
        encoder: String(json["encoder_reparameterization_type"] ?? "MLP").toLowerCase(),
        encoderHidden: json["encoder_hidden_size"] ?? null,
        encoderLayers: json["encoder_num_layers"] ?? 2,
      }
    },
  },
})
