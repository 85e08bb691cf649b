/**
 * @module The frozen base's keys and values of a row of tokens: where a prefix may begin.
 */
import { i64, type Tensor } from "../core/tensor.ts"
import { GraphBuilder } from "../graph/builder.ts"
import type { Base } from "../models/base.ts"
import { rowAttention } from "../models/blocks/attention.ts"
import { type Attend, Forward } from "../models/forward.ts"
import { graphSession } from "../models/graph-session.ts"
import type { Runtime } from "../runtime/runtime.ts"

/**
 * Keys (rotated, as a cache holds them) and values of a row.
 * @param ids at least one token
 * @returns f32 flat [tokens, 2 * layers, kvHeads, headDim], each layer's keys before its values: PEFT's order of a prefix
 */
export async function keysAndValues(runtime: Runtime, base: Base, ids: readonly number[]): Promise<Float32Array> {
  const { architecture, config } = base
  const { layers, kvHeads, headDim } = config
  // Attention of rows halves them: one more token, whose keys are left out, makes a row of one token two.
  const row = ids.length > 1 ? ids : [...ids, ...ids]
  const g = new GraphBuilder()
  const tokens = g.input("input_ids", "i64", [1, "T"])
  const attend = (f: Forward): Attend => {
    const whole = rowAttention(f)
    return (layer, q, k, v) => {
      g.output(`k.${layer}`, f.rotated(layer, k))
      g.output(`v.${layer}`, v)
      return whole(layer, q, k, v)
    }
  }
  const f = new Forward({
    g,
    architecture,
    config,
    layout: base.layout,
    hooks: {},
    embed: (lookUp) => lookUp(tokens),
    positions: g.input("position_ids", "i64", [1, "T"]),
    maxPositions: row.length,
    join: false,
    attend,
  })
  g.output("hidden", architecture.forward(f, config))
  const session = await graphSession(runtime, base, g.finish("keys-and-values"))
  const feeds: Record<string, Tensor> = {
    input_ids: i64([1, row.length], row),
    position_ids: i64(
      [1, row.length],
      row.map((_, i) => i),
    ),
  }
  const found = await session.run(feeds)
  await session.dispose()
  const width = kvHeads * headDim
  const out = new Float32Array(ids.length * 2 * layers * width)
  for (let layer = 0; layer < layers; layer++) {
    for (const [half, kind] of ["k", "v"].entries()) {
      const data = found[`${kind}.${layer}`]!.data as Float32Array // [1, T, kvHeads * headDim]
      for (let t = 0; t < ids.length; t++)
        out.set(data.subarray(t * width, (t + 1) * width), (t * 2 * layers + 2 * layer + half) * width)
    }
  }
  return out
}
