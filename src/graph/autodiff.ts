/**
 * @module Reverse-mode differentiation over a graph, towards chosen inputs only: a node that depends on none of them gets
 * no gradient, so the backward pass stops below the lowest trainable.
 */
import type { GraphBuilder } from "./builder.ts"
import type { Node, Value } from "./ir.ts"

/**
 * Adds to the graph the gradient of a scalar towards each of `wrt`.
 * @param target a scalar f32
 * @returns one value for each of `wrt`, of its shape; zeros where the target doesn't depend on it
 * @throws {TypeError} If the target is no scalar, or an operator on the way has no gradient.
 */
export function gradients(g: GraphBuilder, target: Value, wrt: readonly Value[]): Value[] {
  if (target.shape.length !== 0) throw new TypeError(`Expected a scalar to differentiate but found [${target.shape}]`)
  const order = nodesBelow(target)
  const live = new Set(wrt.map((value) => value.id))
  for (const node of order) {
    if (node.op.vjp === "frozen" || !node.inputs.some((input) => live.has(input.id))) continue
    for (const output of node.outputs) live.add(output.id)
  }
  const found = new Map<number, Value>()
  const give = (value: Value, gradient: Value): void => {
    const before = found.get(value.id)
    found.set(value.id, before ? g.add(before, gradient) : gradient)
  }
  if (live.has(target.id)) give(target, g.expand(scalarOne(g), []))
  for (const node of order.reverse()) {
    const needs = node.inputs.map((input) => live.has(input.id))
    const grads = node.outputs.map((output) => found.get(output.id) ?? null)
    if (!needs.includes(true) || grads.every((gradient) => gradient === null) || node.op.vjp === "frozen") continue
    if (node.op.vjp === null) throw new TypeError(`Operator ${node.op.name} has no gradient`)
    node.op.vjp(g, node, grads, needs).forEach((gradient, i) => {
      if (gradient && needs[i]) give(node.inputs[i]!, gradient)
    })
  }
  return wrt.map((value) => found.get(value.id) ?? g.zeros(value.shape))
}

const scalarOne = (g: GraphBuilder): Value => g.add(g.zeros([]), 1)

/** The nodes a value depends on, each after those it needs. */
export function nodesBelow(...targets: readonly Value[]): Node[] {
  const order: Node[] = []
  const seen = new Set<Node>()
  // An explicit stack: graphs of thirty layers are deeper than some runtimes' call stacks allow.
  const stack: { node: Node; next: number }[] = []
  const enter = (value: Value): void => {
    if (value.origin.kind !== "node" || seen.has(value.origin.node)) return
    seen.add(value.origin.node)
    stack.push({ node: value.origin.node, next: 0 })
  }
  for (const target of targets) {
    enter(target)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      const input = top.node.inputs[top.next++]
      if (input) enter(input)
      else order.push(stack.pop()!.node)
    }
  }
  return order
}
