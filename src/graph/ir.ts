/**
 * @module The intermediate representation: values, and the nodes that make them. Plain records; nothing here runs.
 */
import type { DType, Tensor } from "../core/tensor.ts"
import type { Shape } from "./dim.ts"
import type { Op } from "./op.ts"

/** Dtype and shape of a value. */
export interface Spec {
  readonly dtype: DType
  readonly shape: Shape
}

/** Where a frozen weight lies in the weights blob, in bytes. */
export interface WeightRange {
  readonly offset: number
  readonly length: number
}

/** How a value comes about. */
export type Origin =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "constant"; readonly tensor: Tensor }
  | { readonly kind: "weight"; readonly name: string; readonly range: WeightRange }
  | { readonly kind: "node"; readonly node: Node; readonly index: number }

/** A tensor of the graph. */
export interface Value extends Spec {
  readonly id: number
  readonly origin: Origin
}

/** One application of an operator. */
export interface Node {
  readonly op: Op<unknown>
  readonly attrs: unknown
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
}

/** A named result of a graph. */
export interface GraphOutput {
  readonly name: string
  readonly value: Value
  /** Whether it is computed before the others, so that what only it needs is not held until they are there. */
  readonly early?: boolean
}

/** A finished graph: what `lower` takes. */
export interface GraphModel {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly GraphOutput[]
}

/** Name of a graph input. @throws {TypeError} If `value` is something else. */
export function inputName(value: Value): string {
  if (value.origin.kind !== "input") throw new TypeError(`Expected a graph input but found a ${value.origin.kind}`)
  return value.origin.name
}
