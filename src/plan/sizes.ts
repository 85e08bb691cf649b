/**
 * @module Sizes of a graph's values in bytes, once its symbolic sizes are given: B, T and the like by the caller, halves
 * by their names, joint sizes by the node that joins.
 */
import { byteWidth } from "../core/tensor.ts"
import { type Dim, parseDim } from "../graph/dim.ts"
import type { Node, Spec } from "../graph/ir.ts"
import { causalMask, type MaskAttrs } from "../graph/ops/attention.ts"
import { concat } from "../graph/ops/movement.ts"

/** Symbolic sizes of one graph, some given and some found on the way. */
export class Sizes {
  readonly #known: Map<string, number>

  /** @param given sizes by symbol, such as `{ B: 8, T: 128 }` */
  constructor(given: Readonly<Record<string, number>>) {
    this.#known = new Map(Object.entries(given))
  }

  /** A size as a number. @throws {TypeError} If it has a symbol that nothing gives. */
  number(dim: Dim): number {
    const { coefficient, symbols } = parseDim(dim)
    return symbols.reduce((product, symbol) => product * this.#symbol(symbol), coefficient)
  }

  /** Bytes of a value. */
  bytes({ dtype, shape }: Spec): number {
    return shape.reduce<number>((product, dim) => product * this.number(dim), byteWidth(dtype))
  }

  /** Takes up the size that a node gives a name to: what it joins has no sum that could be spelled. */
  learn({ op, attrs, inputs, outputs }: Node): void {
    if (op.name === causalMask.name) {
      const { length, before } = attrs as MaskAttrs
      if (before > 0) this.#name(outputs[0]!.shape[1]!, [before, length])
    }
    if (op.name !== concat.name) return
    const { axis } = attrs as { readonly axis: number }
    this.#name(
      outputs[0]!.shape[axis]!,
      inputs.map(({ shape }) => shape[axis]!),
    )
  }

  /** Gives a joint size the sum of its parts. */
  #name(dim: Dim, parts: readonly Dim[]): void {
    if (typeof dim === "number" || this.#known.has(dim)) return
    this.#known.set(
      dim,
      parts.reduce<number>((sum, part) => sum + this.number(part), 0),
    )
  }

  /** A symbol, or one half of what its name says: `halve` names them T_first and T_rest, of B*T B_T_first. */
  #symbol(symbol: string): number {
    const known = this.#known.get(symbol)
    if (known !== undefined) return known
    const half = /^(.+)_(first|rest)$/.exec(symbol)
    if (!half) throw new TypeError(`Nothing gives the size ${symbol}`)
    const [, whole, which] = half as unknown as [string, string, "first" | "rest"]
    const size = this.#known.has(whole) || /_(first|rest)$/.test(whole) ? this.#symbol(whole) : this.#product(whole)
    return which === "first" ? Math.ceil(size / 2) : Math.floor(size / 2)
  }

  #product = (names: string): number => names.split("_").reduce((product, name) => product * this.#symbol(name), 1)
}
