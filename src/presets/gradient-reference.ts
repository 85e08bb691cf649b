/**
 * @module The gradients that {@link compareGradients} holds a backend to: of its small models, as the processor computes them
 * in f32 (onnxruntime-node, one thread). A test computes them anew on both backends that run on one.
 */
import type { ModelFigures } from "./check-gradients.ts"

export const gradientReference: Readonly<Record<string, ModelFigures>> = {
  llama: {
    loss: 3.877409,
    gradients: {
      "model.embed_tokens.weight": {
        norm: 2.943581,
        along: 2.284659,
      },
      "model.layers.0.input_layernorm.weight": {
        norm: 0.725067,
        along: -0.3915319,
      },
      "model.layers.0.self_attn.q_proj.weight": {
        norm: 1.490897,
        along: -1.122159,
      },
      "model.layers.0.self_attn.k_proj.weight": {
        norm: 1.490487,
        along: 1.220772,
      },
      "model.layers.0.self_attn.v_proj.weight": {
        norm: 1.593214,
        along: 1.899403,
      },
      "model.layers.0.self_attn.o_proj.weight": {
        norm: 1.975685,
        along: -0.0955231,
      },
      "model.layers.0.mlp.gate_proj.weight": {
        norm: 1.665148,
        along: -0.7215447,
      },
      "model.layers.0.mlp.up_proj.weight": {
        norm: 1.042229,
        along: 0.240885,
      },
      "model.layers.0.mlp.down_proj.weight": {
        norm: 1.042974,
        along: 0.241416,
      },
      "model.layers.0.post_attention_layernorm.weight": {
        norm: 0.5934278,
        along: 0.3166289,
      },
      "model.norm.weight": {
        norm: 0.7257141,
        along: -0.4770075,
      },
    },
  },
  gpt2: {
    loss: 3.166741,
    gradients: {
      "transformer.wte.weight": {
        norm: 1.761342,
        along: 1.508762,
      },
      "transformer.wpe.weight": {
        norm: 1.114599,
        along: -1.202987,
      },
      "transformer.h.0.ln_1.weight": {
        norm: 0.5626796,
        along: -0.872059,
      },
      "transformer.h.0.ln_1.bias": {
        norm: 0.3344871,
        along: 0.2632903,
      },
      "transformer.h.0.attn.c_attn.weight": {
        norm: 1.641364,
        along: -2.422584,
      },
      "transformer.h.0.attn.c_attn.bias": {
        norm: 0.4002796,
        along: -1.259801,
      },
      "transformer.h.0.attn.c_proj.weight": {
        norm: 1.065791,
        along: -0.4276231,
      },
      "transformer.h.0.attn.c_proj.bias": {
        norm: 0.2427143,
        along: 0.1478658,
      },
      "transformer.h.0.mlp.c_fc.weight": {
        norm: 0.8497474,
        along: -0.7897201,
      },
      "transformer.h.0.mlp.c_fc.bias": {
        norm: 0.134453,
        along: -0.2245444,
      },
      "transformer.h.0.mlp.c_proj.weight": {
        norm: 1.046719,
        along: 2.036559,
      },
      "transformer.h.0.mlp.c_proj.bias": {
        norm: 0.1588842,
        along: 0.08854205,
      },
      "transformer.h.0.ln_2.weight": {
        norm: 0.2053339,
        along: -0.2133198,
      },
      "transformer.h.0.ln_2.bias": {
        norm: 0.1614365,
        along: 0.2018325,
      },
      "transformer.ln_f.weight": {
        norm: 0.3799505,
        along: -0.1702684,
      },
      "transformer.ln_f.bias": {
        norm: 0.2875559,
        along: 0.3513804,
      },
    },
  },
}
