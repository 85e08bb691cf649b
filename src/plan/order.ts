/**
 * @module The order in which ONNX Runtime computes a graph's nodes. It is not the order of the file: the engine walks
 * back from the nodes that nothing depends on, the last of the file first, and from each node into the last of its
 * inputs first. So a trainable's gradient is computed when the backward pass has come as far as its layer, and what
 * nobody waits for (the loss itself) comes last of all.
 *
 * Source: onnxruntime 1.30, core/graph/graph_viewer.cc (nodes_in_topological_order_) and graph.cc
 * (Graph::ReverseDFSFrom).
 */
import { nodesBelow } from "../graph/autodiff.ts"
import type { GraphModel, Node } from "../graph/ir.ts"

/** A graph's nodes in the order of execution. */
export function executionOrder(graph: GraphModel): Node[] {
  const file = fileOrder(graph)
  const index = new Map(file.map((node, i) => [node, i]))
  const sources = file.map(({ inputs }) =>
    [...new Set(inputs.flatMap(({ origin }) => (origin.kind === "node" ? [index.get(origin.node)!] : [])))].sort(
      (a, b) => a - b,
    ),
  )
  const isNeeded = new Array<boolean>(file.length).fill(false)
  for (const inputs of sources) for (const i of inputs) isNeeded[i] = true
  // The next one to look at is the last of the stack.
  const stack = file.flatMap((_, i) => (isNeeded[i] ? [] : [{ i, leaving: false }]))
  const entered = new Array<boolean>(file.length).fill(false)
  const order: Node[] = []
  while (stack.length > 0) {
    const { i, leaving } = stack.pop()!
    if (leaving) {
      order.push(file[i]!)
      continue
    }
    if (entered[i]) continue
    entered[i] = true
    stack.push({ i, leaving: true })
    for (const source of sources[i]!) if (!entered[source]) stack.push({ i: source, leaving: false })
  }
  return order
}

/** Nodes as `lower` writes them: those that early outputs alone need, last. */
function fileOrder({ outputs }: GraphModel): Node[] {
  const below = (some: typeof outputs) => nodesBelow(...some.map(({ value }) => value))
  const needed = new Set(below(outputs.filter(({ early }) => !early)))
  const all = below(outputs)
  return [...all.filter((node) => needed.has(node)), ...all.filter((node) => !needed.has(node))]
}
