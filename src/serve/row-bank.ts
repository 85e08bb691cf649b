/**
 * @module What the sequences of a batch feed, side by side: each row of the batch holds one sequence's matrices, padded
 * with zeros to the largest. A row is written when another adapter comes to sit in it, so that a step copies nothing.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { RowFeeds } from "./decode-hooks.ts"

interface Shelf {
  /** Rows and columns of each matrix. */
  readonly height: number
  readonly width: number
  /** [rows, height, width] */
  readonly data: Float32Array
}

/** Rows of matrices by input name: those of one feature. */
export class RowBank {
  readonly #shelves = new Map<string, Shelf>()
  /** What each row holds. */
  #held: (RowFeeds | null)[] = []
  /** What the last call gave out, which the next gives out again where no row has changed. */
  #given: { readonly count: number; readonly views: Record<string, Tensor<"f32">> } | null = null

  /**
   * The first rows of the batch, holding these.
   * @returns tensors [rows.length, height, width] by input name, valid until the next call; the same objects as before
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
    for (const [name, { height, width, data }] of this.#shelves)
      views[name] = f32([rows.length, height, width], data.subarray(0, rows.length * height * width))
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
      const [height, width] = [0, 1].map((axis) =>
        Math.max((axis === 0 ? shelf?.height : shelf?.width) ?? 0, ...rows.map((feeds) => feeds[name]!.shape[axis]!)),
      ) as [number, number]
      if (shelf && count === this.#held.length && height === shelf.height && width === shelf.width) continue
      this.#shelves.set(name, { height, width, data: new Float32Array(count * height * width) })
      grown = true
    }
    if (grown) this.#held = new Array<RowFeeds | null>(count).fill(null)
  }
}

/** Writes a matrix into a row, and zeros around it. */
function write({ height, width, data }: Shelf, row: number, { shape, data: matrix }: Tensor<"f32">): void {
  const [lines, columns] = shape as [number, number]
  const start = row * height * width
  if (columns === width) {
    data.set(matrix, start)
    data.fill(0, start + lines * width, start + height * width)
    return
  }
  data.fill(0, start, start + height * width)
  for (let line = 0; line < lines; line++)
    data.set(matrix.subarray(line * columns, (line + 1) * columns), start + line * width)
}
