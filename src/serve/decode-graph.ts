/**
 * @module The decoding graph: new tokens of one sequence over its KV cache, to the logits of chosen rows.
 *
 * Inputs: input_ids i64 [1, T] (or embeds f32 [1, T, hidden]), position_ids i64 [1, T], last i32 [1], total i32 [1],
 * take i64 [R] (rows whose logits are wanted), past_k.<layer> and past_v.<layer> [1, kvHeads, P, D], and what the variant's
 * features feed (`decode-hooks.ts`).
 * Outputs: logits [R, vocabulary] and present_k.<layer>, present_v.<layer>, which may be the past's own memory.
 */
import { GraphBuilder } from "../graph/builder.ts"
import type { GraphModel } from "../graph/ir.ts"
import type { Base } from "../models/base.ts"
import { type Attend, Forward } from "../models/forward.ts"
import { type DecodeFeature, decodeHooks } from "./decode-hooks.ts"

/** A variant of the decoding graph: each is one session, made when first needed, and serves every adapter of its kind. */
export interface DecodeVariant {
  /** Embeddings go in instead of token ids. */
  readonly embeds: boolean
  readonly features: ReadonlySet<DecodeFeature>
}

/** A name for a variant: variants of one name are the same graph. */
export const variantName = ({ embeds, features }: DecodeVariant): string =>
  [embeds ? "embeds" : "ids", ...[...features].sort()].join("+")

/**
 * Builds a variant, for rows of up to `maxPositions`.
 * @param roundInt8 let products with 8-bit weights round their input to 8 bits too: see `ForwardOptions`
 */
export function decodeGraph(base: Base, variant: DecodeVariant, maxPositions: number, roundInt8: boolean): GraphModel {
  const g = new GraphBuilder()
  const { architecture, config } = base
  const { heads, kvHeads, headDim, hiddenSize } = config
  const ids = variant.embeds ? null : g.input("input_ids", "i64", [1, "T"])
  const embeds = variant.embeds ? g.input("embeds", "f32", [1, "T", hiddenSize]) : null
  const positions = g.input("position_ids", "i64", [1, "T"])
  const last = g.input("last", "i32", [1])
  const total = g.input("total", "i32", [1])

  const attend =
    (f: Forward): Attend =>
    (layer, q, k, v) => {
      const cache = (kind: string) => g.input(`past_${kind}.${layer}`, "f32", [1, kvHeads, "P", headDim])
      const rotary = config.rope !== null
      const tables = rotary ? [f.ropeTables().cos, f.ropeTables().sin] : []
      const inputs = [q, k, v, cache("k"), cache("v"), last, total, ...tables]
      const [y, keys, values] = g.cachedAttention(inputs, { heads, kvHeads, scale: 1 / Math.sqrt(headDim), rotary })
      g.output(`present_k.${layer}`, keys!)
      g.output(`present_v.${layer}`, values!)
      return y!
    }

  const f = new Forward({
    g,
    architecture,
    config,
    layout: base.layout,
    hooks: decodeHooks(g, base, variant.features),
    embed: (lookUp) => embeds ?? lookUp(ids!),
    positions,
    maxPositions,
    join: true,
    roundInt8,
    attend,
  })
  const hidden = architecture.forward(f, config)
  const rows = g.gather(hidden, g.input("take", "i64", ["R"]))
  g.output("logits", f.logits(rows))
  return g.finish(`decode-${variantName(variant)}`)
}
