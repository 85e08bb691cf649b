/**
 * @module Joins thin products of one matrix, such as the first factors of LoRA at layers that read the same input: one
 * product for all, cut apart afterwards. It pays twice over, as their gradients towards that matrix become one product
 * as well, which needs no additions. Done before differentiation.
 */
import { nodesBelow } from "./autodiff.ts"
import type { GraphBuilder } from "./builder.ts"
import type { Node, Value } from "./ir.ts"
import { gemm, type ProductAttrs } from "./ops/matmul.ts"

/** Columns of the widest product that counts as thin: wider ones cost more to cut apart than joining spares. */
const THIN = 64

/** The same values with thin products joined, in order. */
export function joinThinProducts(g: GraphBuilder, values: readonly Value[]): Value[] {
  const order = nodesBelow(...values)
  const groups = new Map<number, Node[]>()
  for (const node of order.filter(isThin)) {
    const { id } = node.inputs[0]!
    groups.set(id, [...(groups.get(id) ?? []), node])
  }
  const made = new Map<number, Value>()
  const now = (value: Value): Value => made.get(value.id) ?? value
  for (const node of order) {
    if (node.outputs.some(({ id }) => made.has(id))) continue // with the first of its group
    const group = isThin(node) ? groups.get(node.inputs[0]!.id)! : []
    if (group.length > 1) {
      const factors = group.map(({ inputs }) => inputs[1]!)
      const product = g.gemm(now(node.inputs[0]!), g.concat(factors, 0), { transB: true })
      const parts = g.split(
        product,
        1,
        factors.map(({ shape }) => shape[0]!),
      )
      group.forEach(({ outputs }, i) => made.set(outputs[0]!.id, parts[i]!))
    } else if (node.inputs.some(({ id }) => made.has(id))) {
      const again = g.apply(node.op, node.inputs.map(now), node.attrs)
      node.outputs.forEach(({ id }, i) => made.set(id, again[i]!))
    }
  }
  return values.map(now)
}

/** x B^T with few rows in B, which is no node's: it is there before any other of its group is computed. */
function isThin({ op, attrs, inputs }: Node): boolean {
  if (op.name !== gemm.name || inputs.length !== 2 || inputs[1]!.origin.kind === "node") return false
  const { transA, transB, alpha } = attrs as ProductAttrs
  const rows = inputs[1]!.shape[0]!
  return !transA && transB && alpha === 1 && typeof rows === "number" && rows <= THIN
}
