/**
 * @module Attention of whole rows, for training and scoring. Grouped-query attention without repeating K and V: the
 * heads that share a key are laid along the rows of one matrix (DESIGN section 2).
 */
import { product } from "../../graph/dim.ts"
import type { Value } from "../../graph/ir.ts"
import type { Attend, Forward } from "../forward.ts"

/**
 * Causal attention, with rotary positions and within a window where the layer has them. Rows are padded on the right, so no
 * key needs a mask.
 */
export const rowAttention =
  (f: Forward): Attend =>
  (layer, q, k, v) => {
    const { g, batch: B, length: T, config } = f
    const { heads, kvHeads: K, headDim: D, attentionScale: scale, attentionCap: cap } = config
    const { window } = config.attention[layer]!
    const G = heads / K
    const turned = f.rotated(layer, q)
    const keys = f.rotated(layer, k)
    const prefix = f.prefix(layer)
    if (!prefix && cap === null) {
      // The first half of a row sees itself alone: a quarter of all scores is never computed.
      const [early, late] = g.halve(turned, 1)
      const [seen, own] = g.halve(g.causalMask(T, { window }), 0)
      const attend = (x: Value, [k, v]: readonly [Value, Value], mask: Value) =>
        g.rowAttention(x, k, v, mask, { heads, kvHeads: K, scale })
      const first = attend(early, [g.halve(keys, 1)[0], g.halve(v, 1)[0]], g.halve(seen, 1)[0])
      return g.concat([first, attend(late, [keys, v], own)], 1, T)
    }
    const GT = product([G, T])
    const perHead = (x: Value) => g.transpose(g.reshape(x, [B, T, K, D]), [0, 2, 1, 3]) // [B, K, T, D]
    const grouped = g.transpose(g.reshape(turned, [B, T, K, G, D]), [0, 2, 3, 1, 4]) // [B, K, G, T, D]
    const queries = g.reshape(grouped, [B, K, GT, D])
    const capped = (x: Value) => g.softCap(x, cap)
    const own = capped(g.matmul(queries, perHead(keys), { transB: true, alpha: scale })) // [B, K, G*T, T]
    const scores = g.reshape(own, [B, K, G, T, T])
    if (!prefix) {
      const weights = g.softmax(g.add(scores, g.causalMask(T, { window })))
      return ungroup(f, g.matmul(g.reshape(weights, [B, K, GT, T]), perHead(v)), G)
    }
    // A prefix stands before the row, at the positions from 0 on.
    const P = prefix.keys.shape[0] as number
    const shared = (x: Value) => g.transpose(x, [1, 0, 2]) // [K, P, D]
    const early = capped(g.matmul(queries, shared(prefix.keys), { transB: true, alpha: scale })) // [B, K, G*T, P]
    const all = g.concat([g.reshape(early, [B, K, G, T, P]), scores], 4, "Seen")
    const weights = g.softmax(g.add(all, g.causalMask(T, { before: P, window })))
    const [first, rest] = g.split(weights, 4, [P, T])
    const fromPrefix = g.matmul(g.reshape(first!, [B, K, GT, P]), shared(prefix.values))
    const fromRow = g.matmul(g.reshape(rest!, [B, K, GT, T]), perHead(v))
    return ungroup(f, g.add(fromPrefix, fromRow), G)
  }

/** [B, K, G*T, D] back to [B, T, heads * D]. */
function ungroup(f: Forward, y: Value, G: number): Value {
  const { g, batch: B, length: T } = f
  const { heads, kvHeads: K, headDim: D } = f.config
  const apart = g.transpose(g.reshape(y, [B, K, G, T, D]), [0, 3, 1, 2, 4]) // [B, T, K, G, D]
  return g.reshape(apart, [B, T, heads * D])
}
