/**
 * @module The frozen weights of a base as a graph sees them: as f32 values, as products, as rows of a table, whichever
 * form they are held in (f32, or 8-bit codes with a scale for each block: `src/core/int8.ts`).
 */
import { INT8_BLOCK } from "../core/int8.ts"
import type { GraphBuilder, Int8Value } from "../graph/builder.ts"
import type { Value, WeightRange } from "../graph/ir.ts"

/** Where a weight of a base lies, in bytes. */
export interface WeightPlace extends WeightRange {
  /** Its shape in the checkpoint. */
  readonly shape: readonly number[]
  /** Where it is held as 8-bit codes [out, in]: where their scales [out, in / 32] lie, and whether `shape` is [in, out]. */
  readonly int8?: { readonly scales: WeightRange; readonly transposed: boolean }
}

/** Where the weights of a base lie, by checkpoint name. */
export type WeightLayout = ReadonlyMap<string, WeightPlace>

/** A weight, or several that lie side by side, under a name. */
export interface NamedPlace {
  readonly name: string
  readonly place: WeightPlace
}

/** Frozen weights in one graph. */
export class BaseWeights {
  readonly #g: GraphBuilder
  readonly #layout: WeightLayout
  readonly #roundInt8: boolean

  /** @param roundInt8 let products with codes round their input to 8 bits too: see `ForwardOptions` */
  constructor(g: GraphBuilder, layout: WeightLayout, roundInt8: boolean) {
    this.#g = g
    this.#layout = layout
    this.#roundInt8 = roundInt8
  }

  /** A weight by its checkpoint name. @throws {TypeError} If the base has none of that name. */
  find(name: string): NamedPlace {
    const place = this.#layout.get(name)
    if (!place) throw new TypeError(`The base has no weight "${name}"`)
    return { name, place }
  }

  /** Weights joined along axis 0, or null where they don't lie side by side in one form. */
  join(names: readonly string[]): NamedPlace | null {
    const places = names.map((name) => this.find(name).place)
    const range = joined(places)
    const held = places.flatMap(({ int8 }) => int8 ?? [])
    const scales = joined(held.map((each) => each.scales))
    if (!range || !scales || (held.length > 0 && held.length < places.length)) return null
    const shape = [places.reduce((total, place) => total + place.shape[0]!, 0), ...places[0]!.shape.slice(1)]
    return {
      name: names.join("+"),
      place: { ...range, shape, ...(held.length > 0 && { int8: { scales, transposed: false } }) },
    }
  }

  /**
   * A weight as f32, in the checkpoint's shape.
   * @param after made shortly before the weight is wanted: one that is held as codes takes no memory until then
   */
  value({ name, place }: NamedPlace, after: Value): Value {
    const { shape, int8 } = place
    if (!int8) return this.#g.weight(name, shape, place)
    const codes = this.#blocks(name, place, int8.scales)
    if (!int8.transposed) return this.#g.dequantize(codes, shape, after)
    return this.#g.transpose(this.#g.dequantize(codes, [...shape].reverse(), after), [1, 0])
  }

  /** Rows of a table [entries, features]: i64 [...] to f32 [..., features]. */
  rows({ name, place }: NamedPlace, indices: Value): Value {
    const { shape, int8 } = place
    if (!int8) return this.#g.gather(this.#g.weight(name, shape, place), indices)
    return this.#g.int8Rows(this.#blocks(name, place, int8.scales), indices, shape[1]!)
  }

  /**
   * A linear layer: flat rows [n, in] to [n, out].
   * @param transposed whether the weight is [in, out] in the checkpoint
   */
  product({ name, place }: NamedPlace, x: Value, transposed: boolean, bias: Value | null): Value {
    const g = this.#g
    if (!place.int8) {
      const weight = g.weight(name, place.shape, place)
      return g.gemm(x, weight, { transB: !transposed, ...(bias && { c: bias }) })
    }
    const { scales } = place.int8
    const y = this.#roundInt8
      ? g.int8ProductRounded(x, this.#blockRows(name, place, scales, x.shape[1] as number))
      : g.int8Product(x, this.#blocks(name, place, scales))
    return bias ? g.add(y, bias) : y
  }

  /** Codes as blocks one after the other, [blocks, 32]. */
  #blocks(name: string, place: WeightRange, scales: WeightRange): Int8Value {
    const blocks = place.length / INT8_BLOCK
    return {
      codes: this.#g.weight(`${name}.codes`, [blocks, INT8_BLOCK], place, "u8"),
      scales: this.#g.weight(`${name}.scales`, [blocks], scales),
    }
  }

  /** Codes by rows, [out, in / 32, 32]. */
  #blockRows(name: string, place: WeightRange, scales: WeightRange, columns: number): Int8Value {
    const shape = [place.length / columns, columns / INT8_BLOCK, INT8_BLOCK]
    return {
      codes: this.#g.weight(`${name}.code_rows`, shape, place, "u8"),
      scales: this.#g.weight(`${name}.scales`, [place.length / INT8_BLOCK], scales),
    }
  }
}

/** Ranges that lie side by side as one, or null. */
function joined(ranges: readonly WeightRange[]): WeightRange | null {
  let length = 0
  for (const range of ranges) {
    if (range.offset !== ranges[0]!.offset + length) return null
    length += range.length
  }
  return { offset: ranges[0]?.offset ?? 0, length }
}
