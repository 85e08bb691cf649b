/**
 * @module The operator contract: one record holds an operator's shapes, its gradient and its ONNX form under both
 * lowerings, so that adding an operator touches one file.
 */
import type { DType } from "../core/tensor.ts"
import type { GraphBuilder } from "./builder.ts"
import type { Dim, Shape } from "./dim.ts"
import type { Node, Spec, Value } from "./ir.ts"
import type { OnnxAttribute } from "./onnx/schema.ts"

/** `fused` may use ONNX Runtime's own operators (CPU, WASM); `standard` keeps to what WebGPU computes right. */
export type Lowering = "fused" | "standard"

/** Attributes as an operator writes them: whole numbers become ints, `float()` marks floats. */
export type Attributes = Readonly<Record<string, OnnxAttribute>>

/** Attribute constructors. */
export const int = (value: number): OnnxAttribute => ({ kind: "int", value })
/** A text attribute. */
export const string = (value: string): OnnxAttribute => ({ kind: "string", value })
export const float = (value: number): OnnxAttribute => ({ kind: "float", value })
export const ints = (value: readonly number[]): OnnxAttribute => ({ kind: "ints", value })

/** ONNX Runtime's operator domain. */
export const microsoft = "com.microsoft"

/** What an operator emits its ONNX nodes through. Names are ONNX value names. */
export interface Emitter {
  readonly lowering: Lowering
  /**
   * Emits one ONNX node.
   * @param outputs names of the outputs, or how many fresh ones to make. @default 1 fresh
   * @returns the output names
   */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Attributes,
    options?: { readonly domain?: string; readonly outputs?: readonly string[] | number },
  ): string[]
  /** A constant vector of i64. */
  ints(values: readonly number[]): string
  /** A constant scalar of f32, i64 or u8. */
  scalar(value: number, dtype?: DType): string
  /**
   * Emits an `If`: of two branches, what the one emits that a condition chooses at run time. The values that a branch
   * ends in must be its own nodes'.
   * @param condition a name of a bool of one element
   * @param outputs names and dtypes of what comes out, which each branch gives in this order under names of its own
   */
  choose(
    condition: string,
    branches: { readonly then: () => readonly string[]; readonly otherwise: () => readonly string[] },
    outputs: readonly { readonly name: string; readonly dtype: DType }[],
  ): void
  /** What `make` emits, once for a graph: outside of branches, for all that ask by this key. @returns the name */
  once(key: string, make: () => string): string
  /** Sizes as an i64 vector, computed at run time where they are symbolic. */
  dims(shape: Shape): string
}

/** One operator. `Attrs` are its compile-time settings. */
export interface Op<Attrs> {
  readonly name: string
  /** Dtype and shape of each output. @throws {TypeError} If the inputs don't fit. */
  infer(inputs: readonly Spec[], attrs: Attrs): Spec[]
  /**
   * Vector-Jacobian product: the gradient of each input, or null where it has none or none is needed.
   * @param grads the gradient of each output, null where nothing depends on it
   * @param needs whether each input's gradient is wanted
   *
   * null where there is none: asking for it is an error. `"frozen"` where no input that may be trained changes the
   * outputs: differentiation passes by.
   */
  vjp:
    | ((
        g: GraphBuilder,
        node: OpNode<Attrs>,
        grads: readonly (Value | null)[],
        needs: readonly boolean[],
      ) => (Value | null)[])
    | "frozen"
    | null
  /** Emits ONNX nodes that end in exactly `outputs`. */
  emit(e: Emitter, node: OpNode<Attrs>, inputs: readonly string[], outputs: readonly string[]): void
}

/** A node with its attributes typed. */
export interface OpNode<Attrs> extends Omit<Node, "attrs"> {
  readonly attrs: Attrs
}

/** Declares an operator. */
export const defineOp = <Attrs>(op: Op<Attrs>): Op<Attrs> => op

/** An axis counted from the front. @throws {RangeError} If it is outside the rank. */
export function axisOf(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(at) || at < 0 || at >= rank)
    throw new RangeError(`Axis ${axis} is outside a tensor of rank ${rank}`)
  return at
}

/** Throws where an operator's operands have the wrong rank. */
export function expectRank(op: string, shape: readonly Dim[], rank: number): void {
  if (shape.length !== rank) throw new TypeError(`${op} expects rank ${rank} but found [${shape}]`)
}
