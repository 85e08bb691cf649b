/**
 * @module What one graph needs in memory while it runs: the peak of its values, the weights that it reads, what it is fed.
 */
import { byteWidth, sizeOf } from "../core/tensor.ts"
import type { GraphModel, Value } from "../graph/ir.ts"
import { f16Rows } from "../graph/ops/f16.ts"
import { gather } from "../graph/ops/movement.ts"
import { peakOf } from "./liveness.ts"
import { executionOrder } from "./order.ts"
import { Sizes } from "./sizes.ts"

/** Bytes of one run, by what they are for. */
export interface GraphMemory {
  /** Values between the nodes, at the peak. */
  readonly activations: number
  /** Name of the operator that is computed at the peak. */
  readonly peakAt: string
  /** Frozen weights that are read. */
  readonly weights: number
  /** Inputs by name. */
  readonly inputs: ReadonlyMap<string, number>
  readonly nodes: number
}

/**
 * What a graph needs.
 * @param given sizes by symbol, such as `{ B: 8, T: 128 }`
 * @throws {TypeError} If a size of the graph is not given.
 */
export function graphMemory(graph: GraphModel, given: Readonly<Record<string, number>>): GraphMemory {
  const sizes = new Sizes(given)
  const peak = peakOf(graph, sizes)
  return {
    activations: peak.bytes,
    peakAt: peak.at,
    weights: weightsRead(graph, sizes),
    inputs: new Map(
      graph.inputs.flatMap((value) =>
        value.origin.kind === "input" ? [[value.origin.name, sizes.bytes(value)] as const] : [],
      ),
    ),
    nodes: peak.nodes,
  }
}

/** Operators that take rows of their first input alone. */
const takesRows: ReadonlySet<string> = new Set([gather.name, f16Rows.name])

/** Weights lie in a mapped file, of which only the pages that are touched take memory. */
const PAGE = 4096

/** Bytes of weights that are touched: all of a matrix, and of a table that only rows are taken of, those rows' pages. */
function weightsRead(graph: GraphModel, sizes: Sizes): number {
  const whole = new Map<number, Value>()
  const rows = new Map<number, { table: Value; bytes: number }>()
  for (const { op, inputs } of executionOrder(graph)) {
    for (const [i, input] of inputs.entries()) {
      if (input.origin.kind !== "weight") continue
      if (!takesRows.has(op.name) || i > 0) {
        whole.set(input.id, input)
        continue
      }
      const count = sizes.bytes(inputs[1]!) / byteWidth(inputs[1]!.dtype)
      const [, ...features] = input.shape as readonly number[]
      const each = sizeOf(features) * byteWidth(input.dtype)
      const touched = Math.min(sizes.bytes(input), count * (each + PAGE))
      rows.set(input.id, { table: input, bytes: Math.max(rows.get(input.id)?.bytes ?? 0, touched) })
    }
  }
  let total = 0
  for (const value of whole.values()) total += sizes.bytes(value)
  for (const { table, bytes } of rows.values()) if (!whole.has(table.id)) total += bytes
  return total
}
