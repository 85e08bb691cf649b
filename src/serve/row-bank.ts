/**
 * @module What the sequences of a batch feed, side by side: each row of the batch holds one sequence's matrices, padded
 * with zeros to the largest. A row is written when another adapter comes to sit in it, so that a step copies nothing.
 */
import { f32, type Tensor } from "../core/tensor.ts"

/** A matrix, or several of one shape, [..., height, width]. */
export interface RowMatrix extends Tensor<"f32"> {
  /** The columns are so many parts of one width, each padded by itself. @default {1} */
  readonly parts?: number
}

/** What one sequence feeds, by input name, without the batch axis. */
export type RowFeeds = Readonly<Record<string, RowMatrix>>

interface Shelf {
  /** The axes before a row's matrices: none where it has one. */
  readonly lead: readonly number[]
  /** Rows of each matrix, and columns of each of its parts. */
  readonly height: number
  readonly width: number
  readonly parts: number
  /** [rows, ...lead, height, parts * width] */
  readonly data: Float32Array
}

type Sizes = Omit<Shelf, "data">

const sizesOf = ({ shape, parts = 1 }: RowMatrix): Sizes => ({
  lead: shape.slice(0, -2),
  height: shape.at(-2)!,
  width: shape.at(-1)! / parts,
  parts,
})

/** Lines of `parts` parts that a row has. */
const linesOf = ({ lead, height }: Sizes): number => lead.reduce((count, size) => count * size, height)

/** Values that a row has. */
const sizeOf = (sizes: Sizes): number => linesOf(sizes) * sizes.parts * sizes.width

/** Rows of matrices by input name: those of one feature. */
export class RowBank {
  readonly #shelves = new Map<string, Shelf>()
  /** What each row holds. */
  #held: (RowFeeds | null)[] = []
  /** What the last call gave out, which the next gives out again where no row has changed. */
  #given: { readonly count: number; readonly views: Record<string, Tensor<"f32">> } | null = null

  /**
   * The first rows of the batch, holding these.
   * @returns tensors [rows.length, ..., height, width] by input name, valid until the next call; the same objects as before
   * where the same rows are asked for again
   */
  feeds(rows: readonly RowFeeds[]): Record<string, Tensor<"f32">> {
    if (this.#given?.count === rows.length && rows.every((feeds, row) => this.#held[row] === feeds))
      return this.#given.views
    this.#makeRoom(rows)
    for (const [row, feeds] of rows.entries()) {
      if (this.#held[row] === feeds) continue
      for (const [name, matrix] of Object.entries(feeds)) write(this.#shelves.get(name)!, row, matrix)
      this.#held[row] = feeds
    }
    const views: Record<string, Tensor<"f32">> = {}
    for (const [name, shelf] of this.#shelves) {
      const { lead, height, width, parts, data } = shelf
      views[name] = f32([rows.length, ...lead, height, parts * width], data.subarray(0, rows.length * sizeOf(shelf)))
    }
    this.#given = { count: rows.length, views }
    return views
  }

  /** Gives everything back. */
  clear(): void {
    this.#shelves.clear()
    this.#held = []
    this.#given = null
  }

  /** Makes every shelf large enough; a shelf that grew has its rows written anew. */
  #makeRoom(rows: readonly RowFeeds[]): void {
    const count = rows.length <= this.#held.length ? this.#held.length : 2 ** Math.ceil(Math.log2(rows.length))
    let grown = false
    for (const name of Object.keys(rows[0]!)) {
      const shelf = this.#shelves.get(name)
      const wanted = rows.map((feeds) => sizesOf(feeds[name]!))
      const height = Math.max(shelf?.height ?? 0, ...wanted.map((each) => each.height))
      const width = Math.max(shelf?.width ?? 0, ...wanted.map((each) => each.width))
      if (shelf && count === this.#held.length && height === shelf.height && width === shelf.width) continue
      const sizes = { ...wanted[0]!, height, width }
      this.#shelves.set(name, { ...sizes, data: new Float32Array(count * sizeOf(sizes)) })
      grown = true
    }
    if (grown) this.#held = new Array<RowFeeds | null>(count).fill(null)
  }
}

/** Writes matrices into a row, and zeros around each of their parts. */
function write(shelf: Shelf, row: number, matrix: RowMatrix): void {
  const own = sizesOf(matrix)
  const size = sizeOf(shelf)
  const place = shelf.data.subarray(row * size, (row + 1) * size)
  if (own.height === shelf.height && own.width === shelf.width) {
    place.set(matrix.data)
    return
  }
  place.fill(0)
  const lines = own.height * own.parts
  // Without padding inside of lines, a matrix is one piece.
  const piece = own.width === shelf.width ? lines * own.width : own.width
  const step = own.width === shelf.width ? piece : shelf.width
  const [height, taken] = [shelf.height * shelf.parts * shelf.width, lines * own.width]
  for (let from = 0, to = 0; from < matrix.data.length; from += taken, to += height)
    for (let i = 0, at = to; i < taken; i += piece, at += step) copy(matrix.data, from + i, piece, place, at)
}

/** As many values are quicker copied one by one than through a view. */
const MOST_BY_ONE = 64

function copy(source: Float32Array, from: number, count: number, target: Float32Array, to: number): void {
  if (count > MOST_BY_ONE) target.set(source.subarray(from, from + count), to)
  else for (let i = 0; i < count; i++) target[to + i] = source[from + i]!
}
