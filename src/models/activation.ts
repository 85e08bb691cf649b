/**
 * @module What stands between a feed-forward's layers, by the names that config.json has for it.
 * Reference: transformers `activations.py`, `ACT2FN`.
 */
import type { GraphBuilder } from "../graph/builder.ts"
import type { Value } from "../graph/ir.ts"
import { expectOneOf, type Json } from "./config-reader.ts"

/** An activation. `geluTanh` is the approximation of `gelu` by tanh. */
export type Activation = "silu" | "gelu" | "geluTanh" | "relu"

/** Names in config.json; those of one activation differ by how they are computed and not by what. */
const names: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu_fast: "geluTanh",
  relu: "relu",
}

/** The activation that a field names. @throws {EspalierError} `unsupported` listing those that are known. */
export function activationOf(json: Json, field: string, fallback: keyof typeof names): Activation {
  expectOneOf(json, field, Object.keys(names), fallback)
  return names[(json[field] ?? fallback) as string]!
}

/** f(x), elementwise. */
export const activate = (g: GraphBuilder, activation: Activation, x: Value): Value => g[activation](x)
