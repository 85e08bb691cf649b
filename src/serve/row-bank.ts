/**
 * @module What the sequences of a batch feed, side by side: each row of the batch holds one sequence's matrices, padded
 * with zeros to the largest. A row is written when another adapter comes to sit in it, so that a step copies nothing.
 */
import { freeNow } from "../core/bytes.ts"
import { copyValues } from "../core/copy-values.ts"
import { f32, type Tensor } from "../core/tensor.ts"

/** A matrix, or several of one shape, [..., height, width]. */
export interface RowMatrix extends Tensor<"f32"> {
  /** The columns are so many parts of one width, each padded by itself. @default {1} */
  readonly parts?: number
}

/** What one sequence feeds, by input name, without the batch axis. */
export type RowFeeds = Readonly<Record<string, RowMatrix>>

/** Sizes of what a row holds of one input. */
interface Sizes {
  /** The axes before a row's matrices: none where it has one. */
  readonly lead: readonly number[]
  /** Rows of each matrix, and columns of each of its parts. */
  readonly height: number
  readonly width: number
  readonly parts: number
}

interface Shelf extends Sizes {
  /** The input. */
  readonly name: string
  /** Values of a row. */
  readonly size: number
  /** [rows, ...lead, height, parts * width] */
  readonly data: Float32Array
}

const sizesOf = ({ shape, parts = 1 }: RowMatrix): Sizes => ({
  lead: shape.slice(0, -2),
  height: shape.at(-2)!,
  width: shape.at(-1)! / parts,
  parts,
})

/** Values that a row has. */
const sizeOf = ({ lead, height, parts, width }: Sizes): number =>
  lead.reduce((count, size) => count * size, height) * parts * width

/** Rows of matrices by input name: those of one feature. */
export class RowBank {
  readonly #renews: boolean
  #shelves: Shelf[] = []
  /** What each row holds. */
  #held: (RowFeeds | null)[] = []
  /** What was given out for so many rows. */
  readonly #views = new Map<number, Record<string, Tensor<"f32">>>()

  /**
   * @param renews give out other objects once a row was written, for who takes the same object for the same content.
   * @default {false} the same objects for as many rows as long as there is room: they are over the memory that rows are written to
   */
  constructor(renews = false) {
    this.#renews = renews
  }

  /**
   * The first rows of the batch, holding these.
   * @returns tensors [rows.length, ..., height, width] by input name, valid until the next call; the same objects as before
   * where the same rows are asked for again
   */
  feeds(rows: readonly RowFeeds[]): Record<string, Tensor<"f32">> {
    // What a step asks that changes little is asked for at each token: it shall cost little, and leave nothing to collect.
    let fits = rows.length <= this.#held.length
    let isWritten = false
    for (let row = 0; row < rows.length && fits; row++)
      if (this.#held[row] !== rows[row]) {
        isWritten = true
        fits = this.#fits(rows[row]!)
      }
    if (!fits) this.#makeRoom(rows)
    if (isWritten || !fits) {
      for (const [row, feeds] of rows.entries()) this.#write(row, feeds)
      if (this.#renews) this.#views.clear()
    }
    const known = this.#views.get(rows.length)
    if (known) return known
    const views: Record<string, Tensor<"f32">> = {}
    for (const { name, lead, height, width, parts, size, data } of this.#shelves)
      views[name] = f32([rows.length, ...lead, height, parts * width], data.subarray(0, rows.length * size))
    this.#views.set(rows.length, views)
    return views
  }

  /** Gives everything back, at once: each row is as large as an adapter. */
  clear(): void {
    for (const { data } of this.#shelves) freeNow(data)
    this.#shelves = []
    this.#held = []
    this.#views.clear()
  }

  /** Whether a row has room for these. */
  #fits(feeds: RowFeeds): boolean {
    for (const { name, height, width, parts } of this.#shelves) {
      const { shape } = feeds[name]!
      if (shape.at(-2)! > height || shape.at(-1)! > parts * width) return false
    }
    return true
  }

  /** Makes every shelf large enough; all rows are to be written anew. */
  #makeRoom(rows: readonly RowFeeds[]): void {
    const count = rows.length <= this.#held.length ? this.#held.length : 2 ** Math.ceil(Math.log2(rows.length))
    const before = new Map(this.#shelves.map((shelf) => [shelf.name, shelf]))
    this.#shelves = Object.keys(rows[0]!).map((name) => {
      const shelf = before.get(name)
      const wanted = rows.map((feeds) => sizesOf(feeds[name]!))
      const height = Math.max(shelf?.height ?? 0, ...wanted.map((each) => each.height))
      const width = Math.max(shelf?.width ?? 0, ...wanted.map((each) => each.width))
      if (shelf && count === this.#held.length && height === shelf.height && width === shelf.width) return shelf
      const sizes = { ...wanted[0]!, height, width }
      if (shelf) freeNow(shelf.data)
      const size = sizeOf(sizes)
      return { name, ...sizes, size, data: new Float32Array(count * size) }
    })
    this.#held = new Array<RowFeeds | null>(count).fill(null)
    this.#views.clear()
  }

  /** Puts these into a row, if it doesn't hold them. */
  #write(row: number, feeds: RowFeeds): void {
    if (this.#held[row] === feeds) return
    for (const shelf of this.#shelves) write(shelf, row, feeds[shelf.name]!)
    this.#held[row] = feeds
  }
}

/** Writes matrices into a row, and zeros around each of their parts. */
function write(shelf: Shelf, row: number, matrix: RowMatrix): void {
  const { size } = shelf
  // Neither is higher or wider than the shelf: as many values are the same sizes.
  if (matrix.data.length === size) {
    shelf.data.set(matrix.data, row * size)
    return
  }
  const own = sizesOf(matrix)
  const place = shelf.data.subarray(row * size, (row + 1) * size)
  place.fill(0)
  const lines = own.height * own.parts
  // Without padding inside of lines, a matrix is one piece.
  const piece = own.width === shelf.width ? lines * own.width : own.width
  const step = own.width === shelf.width ? piece : shelf.width
  const [height, taken] = [shelf.height * shelf.parts * shelf.width, lines * own.width]
  for (let from = 0, to = 0; from < matrix.data.length; from += taken, to += height)
    for (let i = 0, at = to; i < taken; i += piece, at += step) copyValues(matrix.data, from + i, piece, place, at)
}
