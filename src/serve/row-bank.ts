/**
 * @module What the sequences of a batch feed, side by side: each row of the batch holds one sequence's matrices, padded
 * with zeros to the largest. A row is written when another adapter comes to sit in it, so that a step copies nothing.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { RowFeeds } from "./decode-hooks.ts"

interface Shelf {
  /** The axes before a row's matrices: none where it has one. */
  readonly lead: readonly number[]
  /** Rows and columns of each matrix. */
  readonly height: number
  readonly width: number
  /** [rows, ...lead, height, width] */
  readonly data: Float32Array
}

/** Matrices that a row has. */
const countOf = ({ lead }: Pick<Shelf, "lead">): number => lead.reduce((count, size) => count * size, 1)

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
      const { lead, height, width, data } = shelf
      const size = countOf(shelf) * height * width
      views[name] = f32([rows.length, ...lead, height, width], data.subarray(0, rows.length * size))
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
      const lead = rows[0]![name]!.shape.slice(0, -2)
      const height = Math.max(shelf?.height ?? 0, ...rows.map((feeds) => feeds[name]!.shape.at(-2)!))
      const width = Math.max(shelf?.width ?? 0, ...rows.map((feeds) => feeds[name]!.shape.at(-1)!))
      if (shelf && count === this.#held.length && height === shelf.height && width === shelf.width) continue
      const data = new Float32Array(count * countOf({ lead }) * height * width)
      this.#shelves.set(name, { lead, height, width, data })
      grown = true
    }
    if (grown) this.#held = new Array<RowFeeds | null>(count).fill(null)
  }
}

/** Writes matrices into a row, and zeros around each. */
function write(shelf: Shelf, row: number, { shape, data: given }: Tensor<"f32">): void {
  const count = countOf(shelf)
  const size = given.length / count
  for (let i = 0; i < count; i++)
    writeMatrix(shelf, row * count + i, shape.at(-1)!, given.subarray(i * size, (i + 1) * size))
}

/** @param place the matrix's number, of those of all rows */
function writeMatrix({ height, width, data }: Shelf, place: number, columns: number, matrix: Float32Array): void {
  const start = place * height * width
  if (columns === width) {
    data.set(matrix, start)
    data.fill(0, start + matrix.length, start + height * width)
    return
  }
  data.fill(0, start, start + height * width)
  for (let line = 0; line < matrix.length / columns; line++)
    data.set(matrix.subarray(line * columns, (line + 1) * columns), start + line * width)
}
