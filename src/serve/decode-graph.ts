/**
 * @module The decoding graph: new tokens of one sequence over its KV cache, to the logits of chosen rows.
 *
 * Inputs: input_ids i64 [1, T] (or embeds f32 [1, T, hidden]), position_ids i64 [1, T], last i32 [1], total i32 [1],
 * take i64 [R] (rows whose logits are wanted), past_k.<layer> and past_v.<layer> [1, kvHeads, P, D], and in the low-rank
 * variant a.<path> [r, in] and b.<path> [out, r] for every linear layer, b with its scale multiplied in.
 * Outputs: logits [R, vocabulary] and present_k.<layer>, present_v.<layer>, which may be the past's own memory.
 */
import { GraphBuilder } from "../graph/builder.ts"
import type { GraphModel, Value } from "../graph/ir.ts"
import type { Base } from "../models/base.ts"
import { type Attend, Forward } from "../models/forward.ts"
import type { Hooks } from "../models/hooks.ts"
import type { LinearSite } from "../models/site.ts"

/** Variants of the decoding graph: each is one session, made when first needed, and serves every adapter of its kind. */
export type DecodeVariant = "plain" | "lowrank" | "embeds"

/** The linear layers that low-rank factors may sit on. */
export const lowrankSites = ({ architecture, config }: Base): LinearSite[] =>
  architecture.sites(config).filter((site): site is LinearSite => site.kind === "linear" && site.role !== "head")

/**
 * Builds a variant, for rows of up to `maxPositions`.
 * @param roundInt8 let products with 8-bit weights round their input to 8 bits too: see `ForwardOptions`
 */
export function decodeGraph(base: Base, variant: DecodeVariant, maxPositions: number, roundInt8: boolean): GraphModel {
  const g = new GraphBuilder()
  const { architecture, config } = base
  const { heads, kvHeads, headDim, hiddenSize } = config
  const ids = variant === "embeds" ? null : g.input("input_ids", "i64", [1, "T"])
  const embeds = variant === "embeds" ? g.input("embeds", "f32", [1, "T", hiddenSize]) : null
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
    hooks: variant === "lowrank" ? lowrankHooks(g, base) : {},
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
  return g.finish(`decode-${variant}`)
}

/** y = base(x) + (x A^T) B^T, with the factors as graph inputs of a rank of their own. */
function lowrankHooks(g: GraphBuilder, base: Base): Hooks {
  const factors = new Map<string, { a: Value; b: Value }>()
  lowrankSites(base).forEach(({ path, inFeatures, outFeatures }, i) => {
    factors.set(path, {
      a: g.input(`a.${path}`, "f32", [`R${i}`, inFeatures]),
      b: g.input(`b.${path}`, "f32", [outFeatures, `R${i}`]),
    })
  })
  return {
    linear({ site, x, base }) {
      const { a, b } = factors.get(site.path)!
      return g.gemm(g.gemm(x, a, { transB: true }), b, { transB: true, c: base(x) })
    },
  }
}
