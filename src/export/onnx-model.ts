/**
 * @module A base as one ONNX model that transformers.js and Optimum's loaders run: the decoding graph of this project
 * with the names of theirs around it.
 *
 * Inputs: input_ids and position_ids i64 [batch, new], attention_mask i64 [batch, all], past_key_values.<layer>.key and
 * .value [batch, kvHeads, past, headDim]. Outputs: logits [batch, new, vocabulary], present.<layer>.key and .value
 * [batch, kvHeads, all, headDim]. Rows of a batch end together and must be of one length: what the mask leaves out
 * before a row is not left out of attention.
 */
import { bytesOf } from "../core/bytes.ts"
import { i64, type Tensor } from "../core/tensor.ts"
import type { GraphBuilder } from "../graph/builder.ts"
import type { Value } from "../graph/ir.ts"
import { lower } from "../graph/lower/lower.ts"
import { type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValueInfo, withNames } from "../graph/onnx/schema.ts"
import { encodeModel } from "../graph/onnx/write.ts"
import { int } from "../graph/op.ts"
import type { Base } from "../models/base.ts"
import type { Hooks } from "../models/hooks.ts"
import type { LinearSite } from "../models/site.ts"
import { decodeGraph } from "../serve/decode-graph.ts"

/** ONNX's numbers for types of elements. */
const INT32 = 6

/** What is written beside the model: its weights, laid out as the base's. */
export const DATA_FILE = "model.onnx_data"

/** Settings of {@link onnxModel}. */
export interface OnnxOptions {
  /** Give every linear layer inputs for a LoRA, under the names of our `.onnx_adapter` files. @default {false} */
  readonly slots?: boolean
}

/** The model's bytes. Its weights are read from {@link DATA_FILE}, at the places of the base's layout. */
export function onnxModel(base: Base, { slots = false }: OnnxOptions = {}): Uint8Array {
  const variant = { embeds: false, features: new Set<never>() }
  const sites = base.architecture.sites(base.config)
  const graph = decodeGraph(base, variant, base.config.contextLength, {}, slots ? slotHooks : undefined)
  const inner = lower(graph, "fused")
  return encodeModel(wrapped(inner, base, slots ? sites.filter(hasSlot) : []))
}

const hasSlot = (site: { readonly kind: string }): site is LinearSite =>
  site.kind === "linear" && (site as LinearSite).role !== "head"

/** y + scale B A x at every linear layer, with factors that are inputs. */
function slotHooks(g: GraphBuilder): Hooks {
  let count = 0
  return {
    linear({ site, x, base }): Value {
      const y = base(x)
      if (!hasSlot(site)) return y
      // Each layer may have a rank of its own.
      const rank = `rank_${count++}`
      const a = g.input(`${site.path}.lora_A`, "f32", [rank, site.inFeatures])
      const b = g.input(`${site.path}.lora_B`, "f32", [site.outFeatures, rank])
      const update = g.gemm(g.gemm(x, a, { transB: true }), b, { transB: true })
      return g.add(y, g.mul(update, g.input(`${site.path}.lora_scale`, "f32", [1])))
    },
  }
}

/** Symbolic sizes by the names that readers know. */
const sizes: Readonly<Record<string, string>> = { B: "batch_size", T: "sequence_length", P: "past_sequence_length" }

function wrapped(inner: OnnxModel, { config }: Base, slots: readonly LinearSite[]): OnnxModel {
  const { kvHeads, headDim, layers, vocabSize } = config
  const before: OnnxNode[] = []
  const after: OnnxNode[] = []
  const constants: OnnxTensor[] = []
  const node = (into: OnnxNode[], opType: string, inputs: string[], outputs: string[], attributes = {}): void => {
    into.push({ name: `export_${opType}_${outputs[0]}`, opType, domain: "", inputs, outputs, attributes })
  }
  const constant = (name: string, tensor: Tensor): string => {
    const data = { kind: "inline", bytes: bytesOf(tensor.data) } as const
    constants.push({ name, dtype: tensor.dtype, shape: tensor.shape, data })
    return name
  }
  const ints = (values: readonly number[], shape: readonly number[] = [values.length]): string =>
    constant(`export_i64_${shape.length}_${values.join("_").replaceAll("-", "m")}`, i64(shape, values))

  // What the decoding graph asks for, from what readers feed.
  const [zero, one] = [ints([0], []), ints([1], [])]
  node(before, "ReduceSum", ["attention_mask", ints([1])], ["export_lengths"], { keepdims: int(0) })
  node(before, "Sub", ["export_lengths", one], ["export_last"])
  node(before, "Cast", ["export_last"], ["last"], { to: int(INT32) })
  node(before, "Shape", ["attention_mask"], ["export_all"], { start: int(1), end: int(2) })
  node(before, "Cast", ["export_all"], ["total"], { to: int(INT32) })
  node(before, "Unsqueeze", ["position_ids", ints([1, 3])], ["export_positions"])
  node(before, "Expand", ["export_positions", ints([1, kvHeads, 1, 1])], ["places"])
  node(before, "Size", ["input_ids"], ["export_size"])
  node(before, "Range", [zero, "export_size", one], ["take"])

  // What readers want, from what it gives.
  node(after, "Shape", ["input_ids"], ["export_shape"])
  node(after, "Concat", ["export_shape", ints([vocabSize])], ["export_logits_shape"], { axis: int(0) })
  node(after, "Reshape", ["export_rows", "export_logits_shape"], ["logits"])
  const kinds = ["key", "value"] as const
  const parts = Array.from({ length: layers }, (_, i) => kinds.map((kind) => `${i}.${kind}`)).flat()
  node(
    after,
    "Split",
    ["new_kv"],
    parts.map((part) => `export_new.${part}`),
    { axis: int(0), num_outputs: int(parts.length) },
  )
  for (const part of parts)
    node(after, "Concat", [`past_key_values.${part}`, `export_new.${part}`], [`present.${part}`], { axis: int(2) })

  const renamed = (name: string): string =>
    name === "logits"
      ? "export_rows"
      : name.replace(/^past_([kv])\.(\d+)$/, (_, kind, i) => `past_key_values.${i}.${kind === "k" ? "key" : "value"}`)
  const computed = new Set(before.flatMap(({ outputs }) => outputs))
  const info = (name: string, shape: OnnxValueInfo["shape"], dtype: OnnxValueInfo["dtype"] = "f32") => ({
    name,
    dtype,
    shape,
  })
  const cache = (length: string) => ["batch_size", kvHeads, length, headDim]
  return {
    ...inner,
    name: "model",
    inputs: [
      ...inner.inputs
        .filter(({ name }) => !computed.has(name))
        .map(({ name, dtype, shape }) =>
          info(
            renamed(name),
            shape.map((size) => sizes[size] ?? size),
            dtype,
          ),
        ),
      info("attention_mask", ["batch_size", "total_sequence_length"], "i64"),
    ],
    outputs: [
      info("logits", ["batch_size", "sequence_length", vocabSize]),
      ...parts.map((part) => info(`present.${part}`, cache("total_sequence_length"))),
    ],
    initializers: [
      ...inner.initializers.map((tensor) =>
        tensor.data.kind === "external" ? { ...tensor, data: { ...tensor.data, location: DATA_FILE } } : tensor,
      ),
      ...constants,
      ...slots.flatMap(idle),
    ],
    nodes: [...before, ...inner.nodes.map((each) => withNames(each, renamed)), ...after],
  }
}

/** What a slot holds as long as no adapter is active: an update that changes nothing. */
function idle({ path, inFeatures, outFeatures }: LinearSite): OnnxTensor[] {
  const zeros = (name: string, shape: readonly number[]): OnnxTensor => {
    const bytes = new Uint8Array(4 * shape.reduce((a, b) => a * b, 1))
    return { name: `${path}.${name}`, dtype: "f32", shape, data: { kind: "inline", bytes } }
  }
  return [zeros("lora_A", [1, inFeatures]), zeros("lora_B", [outFeatures, 1]), zeros("lora_scale", [1])]
}
