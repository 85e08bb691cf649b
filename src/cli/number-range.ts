/**
 * @module What numbers an option takes: declared in its command's table, checked before the command runs.
 */

/** Numbers from `least` to `most`. */
export interface NumberRange {
  /** Whole numbers only. */
  readonly whole: boolean
  readonly least: number
  readonly most: number
  /** Bounds that are not in it themselves. */
  readonly without?: "least" | "both" | "most"
}

/** Whole numbers, both bounds in. */
export const whole = (least: number, most: number): NumberRange => ({ whole: true, least, most })

/** Numbers, both bounds in. */
export const from = (least: number, most: number): NumberRange => ({ whole: false, least, most })

/** Numbers above `least`, up to `most`. */
export const above = (least: number, most: number): NumberRange => ({ whole: false, least, most, without: "least" })

/** Numbers from `least`, below `most`. */
export const below = (least: number, most: number): NumberRange => ({ whole: false, least, most, without: "most" })

/** Numbers between the bounds. */
export const between = (least: number, most: number): NumberRange => ({ whole: false, least, most, without: "both" })

/** Whole numbers from 1. @param most @default {1e9} */
export const count = (most = 1e9): NumberRange => whole(1, most)

/** What decides draws. */
export const seeds: NumberRange = whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)

/** Whether a number is in a range. */
export function isWithin(value: number, { whole, least, most, without }: NumberRange): boolean {
  if (whole && !Number.isSafeInteger(value)) return false
  const isAbove = without === "least" || without === "both" ? value > least : value >= least
  return isAbove && (without === "most" || without === "both" ? value < most : value <= most)
}

/** A range as a message says it: "a whole number from 0 to 65535". */
export function rangeText({ whole, least, most, without }: NumberRange): string {
  const kind = whole ? "a whole number" : "a number"
  if (without === undefined) return `${kind} from ${least} to ${most}`
  const lower = without === "most" ? `from ${least} to` : `above ${least} and`
  return `${kind} ${lower} ${without === "least" ? "at most" : "below"} ${most}`
}
