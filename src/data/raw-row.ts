/**
 * @module What reading a data file gives, before anything looks at what a row means.
 */

/** How a data file is laid out. */
export type DataFormat = "jsonl" | "json" | "csv"

/** A row as it was read. */
export interface RawRow {
  /** The line it starts on, 1-based. */
  readonly line: number
  /** A JSON object; of a CSV file, text by column name. */
  readonly value: Readonly<Record<string, unknown>>
}

/** A row that can't be used. */
export interface Skipped {
  /** The line it starts on, 1-based. */
  readonly line: number
  /** Why, as a phrase for people. */
  readonly reason: string
}

/** What reading a file gave, both lists in the order of the file. */
export interface ReadResult {
  readonly format: DataFormat
  readonly rows: readonly RawRow[]
  readonly skipped: readonly Skipped[]
}

/** The reason for a row over the cap. */
export const tooLong = (length: number, cap: number): string =>
  `Row of ${length} bytes is longer than the ${cap} allowed`
