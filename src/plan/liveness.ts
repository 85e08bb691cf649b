/**
 * @module How much memory the values of one run of a graph take at the peak: nodes in the order of execution, each value
 * held from the node that makes it to the last one that reads it.
 */
import type { GraphModel, Node, Value } from "../graph/ir.ts"
import { isView, takesInput, unread, workspaceOf } from "./operators.ts"
import { executionOrder } from "./order.ts"
import type { Sizes } from "./sizes.ts"

/** The peak of one run. */
export interface Peak {
  /** Bytes of values held at the peak, and of the workspace of the node that is then computed. */
  readonly bytes: number
  /** Name of that node's operator. */
  readonly at: string
  /** Nodes of the graph. */
  readonly nodes: number
}

/** Memory that one value or several lie in. */
interface Buffer {
  readonly bytes: number
  /** Values in use that lie in it. */
  tenants: number
}

/**
 * The peak of one run. Inputs, constants, weights and outputs are the caller's and are not counted.
 * @throws {TypeError} If a size of the graph is not given.
 */
export function peakOf(graph: GraphModel, sizes: Sizes): Peak {
  const order = executionOrder(graph)
  const lastUse = new Map<number, number>()
  for (const [i, { inputs }] of order.entries()) for (const { id } of inputs) lastUse.set(id, i)
  const given = new Set(graph.outputs.map(({ value }) => value.id))
  /** Buffers by the values that lie in them; none for what is the caller's. */
  const buffers = new Map<number, Buffer>()
  let held = 0
  let peak: Peak = { bytes: 0, at: "", nodes: order.length }

  /** A buffer for an output: an input's, where the operator looks at it or may write over it, or a new one. */
  const bufferFor = (output: Value, node: Node, dying: readonly Value[]): Buffer | undefined => {
    if (isView(node)) return buffers.get(node.inputs[0]!.id)
    if (given.has(output.id)) return undefined
    const bytes = sizes.bytes(output)
    if (takesInput(node)) {
      for (const { id } of dying) {
        const buffer = buffers.get(id)
        if (buffer?.bytes === bytes && buffer.tenants === 1) return buffer
      }
    }
    held += bytes
    return { bytes, tenants: 0 }
  }

  for (const [index, node] of order.entries()) {
    sizes.learn(node)
    const dying = [...new Set(node.inputs)].filter(({ id }) => lastUse.get(id) === index)
    const passing: Value[] = []
    for (const [i, output] of node.outputs.entries()) {
      const fate = lastUse.has(output.id) || given.has(output.id) ? "held" : unread(node, i)
      if (fate === "absent") continue
      if (fate === "freed") passing.push(output)
      const buffer = bufferFor(output, node, dying)
      if (!buffer) continue
      buffer.tenants++
      buffers.set(output.id, buffer)
    }
    const now = held + workspaceOf(node, sizes)
    if (now > peak.bytes) peak = { ...peak, bytes: now, at: node.op.name }
    for (const { id } of [...dying, ...passing]) {
      const buffer = buffers.get(id)
      if (buffer && --buffer.tenants === 0) held -= buffer.bytes
      buffers.delete(id)
    }
  }
  return peak
}
