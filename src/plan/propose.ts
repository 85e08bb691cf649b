/**
 * @module What to train with where memory is short. It gives up, in this order and no more than it must: rows of a batch
 * (accumulated instead, so that nothing changes but the pace), 32-bit weights of the frozen base, rank, the method, and
 * last the length of rows, as that cuts the data.
 */
import { EspalierError } from "../core/errors.ts"
import type { Method } from "../method.ts"
import { type Quantization, quantizations } from "../models/quantization.ts"
import type { TrainingPlan } from "./training.ts"

/** A choice of what to train with. */
export interface Choice {
  readonly method: Method
  /** The method's settings as given, defaults aside. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly rows: number
  /** Batches of an optimizer step. */
  readonly accumulation: number
  readonly length: number
  readonly quantize: Quantization | null
}

/** A choice that fits, with its plan and what it gave up, for people. */
export interface Proposal {
  readonly choice: Choice
  readonly plan: TrainingPlan
  readonly gaveUp: readonly string[]
}

/** The lowest rank that is proposed. */
const LEAST_RANK = 4
/** The shortest rows that are proposed: below this little but a label can be learnt. */
const LEAST_LENGTH = 32

/**
 * The first choice on the way down that fits.
 * @param wanted what would be trained with if there were room
 * @param others methods to go over to, in order
 * @param planOf the plan of a choice
 * @throws {EspalierError} `invalid_request` if nothing fits, with the least that is needed.
 */
export function propose(
  wanted: Choice,
  others: readonly Method[],
  budget: number,
  planOf: (choice: Choice) => TrainingPlan,
): Proposal {
  let least = Infinity
  for (const { choice, gaveUp } of waysDown(wanted, others)) {
    const plan = planOf(choice)
    if (plan.total <= budget) return { choice, plan, gaveUp: gaveUp() }
    least = Math.min(least, plan.total)
  }
  throw new EspalierError(
    "invalid_request",
    `Nothing fits into ${megabytes(budget)}: the least that was found takes ${megabytes(least)}`,
    { param: "budget", hint: "Take a smaller base, or more memory" },
  )
}

/** Every choice on the way down, each with less than the one before it. */
function* waysDown(wanted: Choice, others: readonly Method[]): Generator<{ choice: Choice; gaveUp(): string[] }> {
  const given = (choice: Choice) => ({ choice, gaveUp: () => differences(wanted, choice) })
  let choice = wanted
  yield given(choice)
  const down = function* (next: (from: Choice) => Choice | null) {
    for (let lower = next(choice); lower; lower = next(choice)) {
      choice = lower
      yield given(choice)
    }
  }
  yield* down(fewerRows)
  yield* down(fewerBits)
  yield* down(lowerRank)
  for (const method of others) {
    if (method.name === choice.method.name) continue
    choice = { ...choice, method, settings: {} }
    yield given(choice)
    yield* down(fewerBits)
    yield* down(lowerRank)
  }
  yield* down(shorterRows)
}

/** Half the rows at a time, as many optimizer steps. */
const fewerRows = (from: Choice): Choice | null => {
  if (from.rows === 1) return null
  const rows = Math.ceil(from.rows / 2)
  return { ...from, rows, accumulation: Math.ceil((from.accumulation * from.rows) / rows) }
}

/** Fewer bits, where the method leaves the base's own weights alone. */
const fewerBits = (from: Choice): Choice | null => {
  const next = quantizations[quantizations.indexOf(from.quantize as Quantization) + 1]
  return next === undefined || from.method.peft === null ? null : { ...from, quantize: next }
}

const lowerRank = (from: Choice): Choice | null => {
  const rank = rankOf(from)
  return rank === null || rank <= LEAST_RANK
    ? null
    : { ...from, settings: { ...from.settings, rank: Math.max(LEAST_RANK, Math.floor(rank / 2)) } }
}

const shorterRows = (from: Choice): Choice | null =>
  from.length <= LEAST_LENGTH ? null : { ...from, length: Math.max(LEAST_LENGTH, Math.floor(from.length / 2)) }

/** A choice's rank, or null where its method has none. */
function rankOf({ method, settings }: Choice): number | null {
  const rank = (method.prepare(settings).config as { readonly rank?: unknown }).rank
  return typeof rank === "number" ? rank : null
}

/** What a choice has less of than what was wanted, in the order in which it is given up. */
function differences(wanted: Choice, choice: Choice): string[] {
  const found: string[] = []
  if (choice.rows < wanted.rows)
    found.push(`rows at a time: ${choice.rows} instead of ${wanted.rows}, ${choice.accumulation} batches to a step`)
  if (choice.quantize !== wanted.quantize)
    found.push(`the base's weights in ${wanted.quantize ?? "32 bits"}: ${choice.quantize} instead`)
  const isSame = choice.method.name === wanted.method.name
  if (!isSame) found.push(`the method: ${choice.method.name} instead of ${wanted.method.name}`)
  const [before, after] = [rankOf(isSame ? wanted : { ...choice, settings: {} }), rankOf(choice)]
  if (before !== null && after !== null && after < before) found.push(`rank: ${after} instead of ${before}`)
  if (choice.length < wanted.length) found.push(`length: rows are cut at ${choice.length} tokens, not ${wanted.length}`)
  return found
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`
