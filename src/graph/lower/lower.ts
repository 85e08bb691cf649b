/**
 * @module Lowers a graph to ONNX records: each operator emits its nodes under the chosen lowering, unused nodes fall
 * away, weights become external initializers, and symbolic sizes are computed from the inputs that carry them.
 */
import { type DType, f32, i64, type Tensor } from "../../core/tensor.ts"
import { nodesBelow } from "../autodiff.ts"
import { type Dim, parseDim, type Shape } from "../dim.ts"
import type { GraphModel, Value } from "../ir.ts"
import { namesRead, type OnnxBranch, type OnnxModel, type OnnxNode, type OnnxTensor } from "../onnx/schema.ts"
import { type Emitter, int, type Lowering } from "../op.ts"

/** The location that every model names for its external weights. */
export const WEIGHTS_LOCATION = "weights.bin"

/**
 * Opset 18 has axes of reductions as inputs and ScatterND's addition, and is the newest that every backend runs whole;
 * 23 has Attention.
 */
const opsets = (lowering: Lowering) => ({ "": lowering === "fused" ? 23 : 18, "com.microsoft": 1 })

/** A graph as ONNX records. Equal graphs give equal records. */
export function lower(graph: GraphModel, lowering: Lowering): OnnxModel {
  const nodes: OnnxNode[] = []
  /** Where nodes go that are emitted now: the graph's, or those of a branch. */
  let emitted = nodes
  let count = 0
  const initializers: OnnxTensor[] = []
  const names = new Map<number, string>()
  const constants = new Map<string, string>()
  /** Values whose nodes are emitted. */
  const made: Value[] = []
  let fresh = 0
  const inputs = new Set(graph.inputs.map(({ origin }) => (origin.kind === "input" ? origin.name : "")))

  const inline = (name: string, tensor: Tensor): string => {
    const { buffer, byteOffset, byteLength } = tensor.data
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
    initializers.push({ name, dtype: tensor.dtype, shape: tensor.shape, data: { kind: "inline", bytes } })
    return name
  }
  const constant = (key: string, tensor: () => Tensor): string => {
    const known = constants.get(key)
    if (known) return known
    constants.set(key, key)
    return inline(key, tensor())
  }
  const nameOf = (value: Value): string => {
    const known = names.get(value.id)
    if (known) return known
    const { origin } = value
    let name = `v${value.id}`
    if (origin.kind === "input") name = origin.name
    else if (origin.kind === "constant") name = inline(`c${value.id}`, origin.tensor)
    else if (origin.kind === "weight") {
      // What is trained in a weight's place has its name; an initializer of that name would be its default value.
      name = inputs.has(origin.name) ? `frozen:${origin.name}` : origin.name
      const shape = value.shape as readonly number[]
      initializers.push({
        name,
        dtype: value.dtype,
        shape,
        data: { kind: "external", location: WEIGHTS_LOCATION, ...origin.range },
      })
    }
    names.set(value.id, name)
    return name
  }

  const e: Emitter = {
    lowering,
    node(opType, inputs, attributes = {}, options = {}) {
      const wanted = options.outputs ?? 1
      const outputs = typeof wanted === "number" ? Array.from({ length: wanted }, () => `t${fresh++}`) : [...wanted]
      emitted.push({
        name: `n${count++}_${opType}`,
        opType,
        domain: options.domain ?? "",
        inputs,
        outputs,
        attributes,
      })
      return outputs
    },
    ints: (values) => constant(`i64_${values.join("_").replaceAll("-", "m")}_`, () => i64([values.length], values)),
    scalar(value, dtype = "f32") {
      const key = `${dtype}_${String(value).replace("-", "m")}`
      return constant(key, () => scalarTensor(value, dtype))
    },
    choose(condition, { then, otherwise }, outputs) {
      const branch = (name: string, make: () => readonly string[]): OnnxBranch => {
        const around = emitted
        emitted = []
        const found = make()
        const infos = outputs.map(({ dtype }, i) => ({ name: found[i]!, dtype }))
        const made = { name, outputs: infos, nodes: emitted }
        emitted = around
        return made
      }
      const name = outputs[0]!.name
      const attributes = {
        then_branch: { kind: "graph", value: branch(`${name}:then`, then) },
        else_branch: { kind: "graph", value: branch(`${name}:else`, otherwise) },
      } as const
      e.node("If", [condition], attributes, { outputs: outputs.map(({ name }) => name) })
    },
    once: (key, make) => memo(`once_${key}`, make),
    dims(shape) {
      if (shape.every((dim) => typeof dim === "number")) return e.ints(shape as readonly number[])
      const parts = shape.map((dim) => (typeof dim === "number" ? e.ints([dim]) : dimension(dim)))
      return parts.length === 1
        ? parts[0]!
        : memo(`dims_${shape.join(",")}`, () => e.node("Concat", parts, { axis: int(0) })[0]!)
    },
  }

  const computed = new Map<string, string>()
  const memo = (key: string, make: () => string): string => {
    const known = computed.get(key)
    if (known) return known
    const around = emitted
    emitted = nodes
    const name = make()
    emitted = around
    computed.set(key, name)
    return name
  }
  /** A symbolic size as an i64 vector of one element. */
  const dimension = (dim: Dim): string =>
    memo(`dim_${dim}`, () => {
      const { coefficient, symbols } = parseDim(dim)
      let name: string | null = null
      for (const symbol of symbols) {
        const factor = memo(`symbol_${symbol}`, () => symbolSize(symbol))
        name = name ? e.node("Mul", [name, factor])[0]! : factor
      }
      return coefficient === 1 ? name! : e.node("Mul", [name!, e.ints([coefficient])])[0]!
    })
  /** A named size, read off the first input, or else the first value made so far, that carries it alone. */
  const symbolSize = (symbol: string): string => {
    for (const carrier of [...graph.inputs, ...made]) {
      for (const [axis, dim] of carrier.shape.entries()) {
        const { coefficient, symbols } = parseDim(dim)
        if (symbols.length !== 1 || symbols[0] !== symbol) continue
        const [size] = e.node("Shape", [nameOf(carrier)], { start: int(axis), end: int(axis + 1) })
        return coefficient === 1 ? size! : e.node("Div", [size!, e.ints([coefficient])])[0]!
      }
    }
    throw new TypeError(`Nothing in graph "${graph.name}" carries the size ${symbol} before it is needed`)
  }

  const outputNames = new Map(graph.outputs.map(({ name, value }) => [value.id, name]))
  for (const { name, value } of graph.outputs)
    if (value.origin.kind === "node" && outputNames.get(value.id) === name) names.set(value.id, name)
  for (const node of nodesBelow(...graph.outputs.map(({ value }) => value))) {
    node.op.emit(e, node, node.inputs.map(nameOf), node.outputs.map(nameOf))
    made.push(...node.outputs)
  }
  for (const { name, value } of graph.outputs)
    if (nameOf(value) !== name) e.node("Identity", [nameOf(value)], {}, { outputs: [name] })

  const info = (name: string, dtype: DType, shape: Shape) => ({ name, dtype, shape: shape.map(onnxDim) })
  return {
    name: graph.name,
    opsets: opsets(lowering),
    inputs: graph.inputs.map((value) => info(nameOf(value), value.dtype, value.shape)),
    outputs: graph.outputs.map(({ name, value }) => info(name, value.dtype, value.shape)),
    initializers: readOnes(initializers, nodes),
    nodes: withoutUnread(earlyLast(nodes, graph), graph),
  }
}

/** Initializers that a node reads: an operator's input may serve its gradient alone, as rotation by negative angles does. */
function readOnes(initializers: readonly OnnxTensor[], nodes: readonly OnnxNode[]): OnnxTensor[] {
  const read = new Set(nodes.flatMap(namesRead))
  return initializers.filter(({ name }) => read.has(name))
}

/** Outputs that an ONNX operator may leave out. */
const optionalOutputs: Readonly<Record<string, readonly number[]>> = {
  Attention: [3],
  LayerNormalization: [1, 2],
  SimplifiedLayerNormalization: [1],
}

/**
 * Nodes without the optional outputs that nothing reads: ONNX Runtime makes what has a name, and holds to the end of a
 * run what nobody reads, such as each layer's attention weights where no gradient is computed.
 */
function withoutUnread(nodes: readonly OnnxNode[], { outputs }: GraphModel): OnnxNode[] {
  const read = new Set([...nodes.flatMap(namesRead), ...outputs.map(({ name }) => name)])
  return nodes.map((node) => {
    const optional = optionalOutputs[node.opType]
    if (!optional || node.domain !== "") return node
    const kept = node.outputs.map((name, i) => (optional.includes(i) && !read.has(name) ? "" : name))
    while (kept.at(-1) === "") kept.pop()
    return { ...node, outputs: kept }
  })
}

/**
 * Nodes that early outputs alone need, last: ONNX Runtime begins with the last of the file that nothing depends on
 * (`src/plan/order.ts`). Of a training graph that is the loss, which would else be computed after all gradients, and
 * hold every logit until then.
 */
function earlyLast(nodes: readonly OnnxNode[], { outputs }: GraphModel): OnnxNode[] {
  const wanted = new Set(outputs.filter(({ early }) => !early).map(({ name }) => name))
  const isEarly = nodes.map(() => true)
  for (const [i, node] of [...nodes.entries()].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue
    isEarly[i] = false
    for (const name of namesRead(node)) wanted.add(name)
  }
  return [...nodes.filter((_, i) => !isEarly[i]), ...nodes.filter((_, i) => isEarly[i])]
}

/** ONNX takes any text as a symbolic size; products are spelled without a star to be safe with readers. */
const onnxDim = (dim: Dim): number | string => (typeof dim === "number" ? dim : dim.replaceAll("*", "_x_"))

function scalarTensor(value: number, dtype: DType): Tensor {
  if (dtype === "f32") return f32([], [value])
  if (dtype === "i64") return i64([], [value])
  if (dtype === "u8") return { dtype, shape: [], data: Uint8Array.of(value) }
  throw new TypeError(`Expected a scalar of f32, i64 or u8 but found ${dtype}`)
}
