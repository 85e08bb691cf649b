/**
 * @module What `npm run torture` is made of: parts that can be run alone.
 */
import type { BackendName } from "../../src/runtime/runtime.ts"

/** How much, and over what. */
export interface TortureSettings {
  /** 1 for the counts that are published. */
  readonly scale: number
  readonly base: string
  readonly backend: BackendName
  readonly seed: number
}

/** What a part found. */
export interface Report {
  readonly figures: object
  /** Lines of Markdown. */
  readonly lines: readonly string[]
  /** 0 if all is well. */
  readonly wrong: number
}

/** A part. */
export interface Part {
  readonly name: string
  /** What it does at full scale. */
  readonly summary: string
  run(settings: TortureSettings): Promise<Report>
}

/** So many, times the scale. */
export const scaled = (count: number, { scale }: TortureSettings): number => Math.ceil(count * scale)
