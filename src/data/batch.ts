/**
 * @module What the trainer eats: token ids with labels.
 */

/** The label of a position that takes no part in the loss (PyTorch's `ignore_index`). */
export const IGNORE = -100

/** One tokenised row. `labels[i]` is `ids[i]` where position i counts in the loss and {@link IGNORE} elsewhere. */
export interface Example {
  readonly ids: Int32Array
  /** Not shifted: position i's label is the token AT i; the shift by one is the training graph's business. */
  readonly labels: Int32Array
  /** Line of the data file it came from (1-based). */
  readonly line: number
}

/** Examples laid side by side, padded on the right. */
export interface Batch {
  readonly rows: number
  /** Padded length, a multiple of the bucket size. */
  readonly length: number
  readonly ids: Int32Array // [rows, length]; padding is 0
  readonly labels: Int32Array // [rows, length]; padding is IGNORE
  /** Tokens that are not padding. */
  readonly tokens: number
  /** Positions that count in the loss: labels other than IGNORE, the first position of a row aside. */
  readonly labelled: number
}
