/**
 * @module The frozen weights of a base as a graph sees them: as f32 values, as products, as rows of a table, whichever
 * form they are held in: f32, f16, or codes with a scale for each block (`src/core/codes.ts`).
 */
import { blockBytes, CODE_BLOCK, type CodeBits } from "../core/codes.ts"
import type { CodesValue, GraphBuilder } from "../graph/builder.ts"
import type { Value, WeightRange } from "../graph/ir.ts"

/** Where a weight of a base lies, in bytes. */
export interface WeightPlace extends WeightRange {
  /** Its shape in the checkpoint. */
  readonly shape: readonly number[]
  /** How it is held where that is not as f32. */
  readonly held?: HeldF16 | HeldCodes
}

/** A weight held as f16, in its own shape. */
interface HeldF16 {
  readonly bits: 16
}

/** A weight held as codes [out, in]: their bits, where their scales [out, in / 32] lie, whether its shape is [in, out]. */
interface HeldCodes {
  readonly bits: CodeBits
  readonly scales: WeightRange
  readonly transposed: boolean
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
  readonly #roundInputs: boolean

  /** @param roundInputs let products with codes round their input to 8 bits too: see `ForwardOptions` */
  constructor(g: GraphBuilder, layout: WeightLayout, roundInputs: boolean) {
    this.#g = g
    this.#layout = layout
    this.#roundInputs = roundInputs
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
    const held = joinedForms(places.map((place) => place.held))
    if (!range || held === null) return null
    const shape = [places.reduce((total, place) => total + place.shape[0]!, 0), ...places[0]!.shape.slice(1)]
    return { name: names.join("+"), place: { ...range, shape, ...(held && { held }) } }
  }

  /**
   * A weight as f32, in the checkpoint's shape.
   * @param after made shortly before the weight is wanted: one that is held in fewer bits takes no memory until then
   */
  value({ name, place }: NamedPlace, after: Value): Value {
    const { shape, held } = place
    if (!held) return this.#g.weight(name, shape, place)
    if (held.bits === 16) return this.#g.f16Value(this.#f16(name, place), after)
    const codes = this.#blocks(name, place, held)
    if (!held.transposed) return this.#g.dequantize(codes, shape, after)
    return this.#g.transpose(this.#g.dequantize(codes, [...shape].reverse(), after), [1, 0])
  }

  /** Rows of a table [entries, features]: i64 [...] to f32 [..., features]. */
  rows({ name, place }: NamedPlace, indices: Value): Value {
    const { shape, held } = place
    if (!held) return this.#g.gather(this.#g.weight(name, shape, place), indices)
    if (held.bits === 16) return this.#g.f16Rows(this.#f16(name, place), indices)
    return this.#g.codesRows(this.#blocks(name, place, held), indices, shape[1]!)
  }

  /**
   * A linear layer: flat rows [n, in] to [n, out].
   * @param transposed whether the weight is [in, out] in the checkpoint
   */
  product({ name, place }: NamedPlace, x: Value, transposed: boolean, bias: Value | null): Value {
    const g = this.#g
    if (!place.held) {
      const weight = g.weight(name, place.shape, place)
      return g.gemm(x, weight, { transB: !transposed, ...(bias && { c: bias }) })
    }
    const y = this.#heldProduct(name, place, place.held, x, transposed)
    return bias ? g.add(y, bias) : y
  }

  #heldProduct(name: string, place: WeightPlace, held: HeldF16 | HeldCodes, x: Value, transposed: boolean): Value {
    const g = this.#g
    if (held.bits === 16) return g.f16Product(x, this.#f16(name, place), { transB: !transposed })
    return this.#roundInputs
      ? g.codesProductRounded(x, this.#blockRows(name, place, held, x.shape[1] as number))
      : g.codesProduct(x, this.#blocks(name, place, held))
  }

  #f16 = (name: string, place: WeightPlace): Value => this.#g.weight(`${name}.f16`, place.shape, place, "f16")

  /** Codes as blocks one after the other, [blocks, bytes of a block]. */
  #blocks(name: string, place: WeightRange, { bits, scales }: HeldCodes): CodesValue {
    const width = blockBytes(bits)
    const blocks = place.length / width
    return {
      bits,
      codes: this.#g.weight(`${name}.codes`, [blocks, width], place, "u8"),
      scales: this.#g.weight(`${name}.scales`, [blocks], scales),
    }
  }

  /** Codes by rows, [out, in / 32, bytes of a block]. */
  #blockRows(name: string, place: WeightRange, { bits, scales }: HeldCodes, columns: number): CodesValue {
    const width = blockBytes(bits)
    const perRow = columns / CODE_BLOCK
    const blocks = place.length / width
    return {
      bits,
      codes: this.#g.weight(`${name}.code_rows`, [blocks / perRow, perRow, width], place, "u8"),
      scales: this.#g.weight(`${name}.scales`, [blocks], scales),
    }
  }
}

/** The form of weights that lie side by side, undefined where it is f32; null where they can't be one. */
function joinedForms(held: readonly WeightPlace["held"][]): WeightPlace["held"] | null {
  const first = held[0]
  if (held.some((each) => each?.bits !== first?.bits)) return null
  if (!first || first.bits === 16) return first
  const scales = joined(held.map((each) => (each as HeldCodes).scales))
  return scales && { bits: first.bits, scales, transposed: false }
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
