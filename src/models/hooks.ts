/**
 * @module Hooks: where a fine-tuning method (in training) or a form (in serving) puts its nodes into a forward pass.
 * A hook is handed the frozen computation as a function `base`, because some scale its input, some replace its weight
 * and some add to its output.
 */
import type { GraphBuilder } from "../graph/builder.ts"
import type { Value } from "../graph/ir.ts"
import type { EmbeddingSite, LinearSite, NormSite, PrefixSite, PromptSite, ResidualSite, TiedHeadSite } from "./site.ts"

/** Weights in place of the frozen ones. */
export interface Replacement {
  readonly weight?: Value
  readonly bias?: Value
}

/** What a hook of a layer gets. */
export interface LayerContext<S> {
  readonly g: GraphBuilder
  readonly site: S
  /** The layer's input, flat [N, in]. */
  readonly x: Value
  /** The frozen layer, on any input, optionally with other weights. */
  base(x: Value, replacement?: Replacement): Value
  /** The frozen weight itself. */
  weight(): Value
  /** The frozen bias, or null where the layer has none. */
  bias(): Value | null
  /**
   * In training, an input of the layer with each element zeroed with probability p and the others scaled by 1 / (1 - p),
   * by a mask of this layer's own; the input itself elsewhere, and where p is 0. At most once a layer.
   */
  dropout(x: Value, p: number): Value
}

/** What a hook of several layers gets that are computed in one product. */
export interface JoinedContext {
  readonly g: GraphBuilder
  /** In the order of their outputs. */
  readonly sites: readonly LinearSite[]
  /** The input of all, flat [N, in]. */
  readonly x: Value
  /** The frozen layers' outputs side by side, flat [N, out of all]. */
  readonly whole: Value
}

/** What a hook of a residual branch gets. */
export interface ResidualContext {
  readonly g: GraphBuilder
  readonly site: ResidualSite
  /** The branch's output before it is added, flat [N, hidden]. */
  readonly branch: Value
  /** The stream it is added to, flat [N, hidden]. */
  readonly stream: Value
}

/** What a hook of a look-up gets. */
export interface LookUpContext {
  readonly g: GraphBuilder
  readonly site: EmbeddingSite
  /** i64 [...] */
  readonly indices: Value
  /** Rows of the frozen table: i64 [...] to f32 [..., features]. */
  frozen(indices: Value): Value
}

/** What a hook of the output layer gets. */
export interface HeadContext {
  readonly g: GraphBuilder
  readonly site: LinearSite | TiedHeadSite
  /** The frozen weight [vocabulary, hidden]. */
  weight(): Value
}

/** Hooks by kind of site; a missing one leaves the frozen computation as it is. */
export interface Hooks {
  linear?(context: LayerContext<LinearSite>): Value
  /**
   * Outputs in place of those of layers that were computed in one product, before they are cut apart: each layer's part is
   * what its own hook's `base` then gives. Only where one asks for it on the layers' own input, and never in training.
   */
  joined?(context: JoinedContext): Value
  norm?(context: LayerContext<NormSite>): Value
  residual?(context: ResidualContext): Value
  /** The table [entries, features] to use in place of the frozen one, or null. */
  embedding?(context: { readonly g: GraphBuilder; readonly site: EmbeddingSite; weight(): Value }): Value | null
  /**
   * Rows [..., features] of an embedding table to use where it is looked up, in place of those that `embedding` or the frozen
   * table give, or null. An output layer that is tied to the table is not: see `head`.
   */
  lookUp?(context: LookUpContext): Value | null
  /** The output layer's weight [vocabulary, hidden] to use in place of the frozen one, or null. */
  head?(context: HeadContext): Value | null
  /** Virtual token embeddings [virtual tokens, hidden] to put before the first token, or null. */
  prompt?(context: { readonly g: GraphBuilder; readonly site: PromptSite }): Value | null
  /** Keys and values [virtual tokens, kvHeads, headDim] that every row starts with, or null. */
  prefix?(context: {
    readonly g: GraphBuilder
    readonly site: PrefixSite
    readonly layer: number
  }): { keys: Value; values: Value } | null
}
