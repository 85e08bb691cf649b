/**
 * @module Whether a question needs documents: a logistic regression over a handful of features, fitted to labelled
 * questions, with the threshold that was best on those that it was not fitted to.
 */
import { type Features, featureNames } from "./features.ts"

/** A fitted router. */
export interface Router {
  readonly bias: number
  readonly weights: Readonly<Record<keyof Features, number>>
  /** Documents are searched for at this probability and above. */
  readonly threshold: number
  /** How it did on the questions that it was not fitted to. */
  readonly precision: number
  readonly recall: number
  /** Labelled questions that it was made of. */
  readonly examples: number
}

/** A question with what is known of it. */
export interface Labelled {
  readonly features: Features
  /** Whether it needs documents. */
  readonly retrieve: boolean
}

/** The probability that a question needs documents. */
export function probabilityOf({ bias, weights }: Pick<Router, "bias" | "weights">, features: Features): number {
  let sum = bias
  for (const name of featureNames) sum += weights[name] * features[name]
  return sigmoid(sum)
}

/** Strength of the pull towards 0, which keeps weights finite where the two kinds come apart. */
const RIDGE = 0.5
const STEPS = 50
const FOLDS = 5

/**
 * Fits a router.
 * @param examples of both kinds, at least ten of each
 * @throws {RangeError} If there are fewer.
 */
export function fitRouter(examples: readonly Labelled[]): Router {
  const positive = examples.filter(({ retrieve }) => retrieve).length
  if (positive < 10 || examples.length - positive < 10)
    throw new RangeError(
      `Expected at least 10 questions that need documents and 10 that don't but found ${positive} and ${examples.length - positive}`,
    )
  // Each question is judged by weights that were fitted without it.
  const judged = examples.map(({ retrieve }, i) => ({ retrieve, fold: i % FOLDS, probability: 0 }))
  for (let fold = 0; fold < FOLDS; fold++) {
    const fitted = fit(examples.filter((_, i) => i % FOLDS !== fold))
    for (const [i, each] of judged.entries())
      if (each.fold === fold) each.probability = probabilityOf(fitted, examples[i]!.features)
  }
  return { ...fit(examples), ...bestThreshold(judged), examples: examples.length }
}

/** Newton's method on the log-loss with a ridge, the bias left free. */
function fit(examples: readonly Labelled[]): Pick<Router, "bias" | "weights"> {
  const size = featureNames.length + 1
  const rows = examples.map(({ features }) => [1, ...featureNames.map((name) => features[name])])
  let values = new Array<number>(size).fill(0)
  for (let step = 0; step < STEPS; step++) {
    const slope = values.map((value, i) => (i === 0 ? 0 : RIDGE * value))
    const curve = values.map((_, i) => values.map((_, j) => (i === j ? (i === 0 ? 1e-9 : RIDGE) : 0)))
    for (const [n, row] of rows.entries()) {
      const p = sigmoid(row.reduce((sum, x, i) => sum + x * values[i]!, 0))
      const error = p - (examples[n]!.retrieve ? 1 : 0)
      for (let i = 0; i < size; i++) {
        slope[i]! += error * row[i]!
        for (let j = 0; j < size; j++) curve[i]![j]! += p * (1 - p) * row[i]! * row[j]!
      }
    }
    const change = solved(curve, slope)
    values = values.map((value, i) => value - change[i]!)
    if (Math.max(...change.map(Math.abs)) < 1e-10) break
  }
  const [bias, ...weights] = values
  return {
    bias: bias!,
    weights: Object.fromEntries(featureNames.map((name, i) => [name, weights[i]!])) as Router["weights"],
  }
}

/** x of A x = b, by elimination with the largest pivot. */
function solved(a: readonly (readonly number[])[], b: readonly number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i]!])
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows
      .slice(i)
      .reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(rows[best]![i]!) ? i + k : best), i)
    ;[rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!]
    for (const [k, row] of rows.entries()) {
      if (k === i) continue
      const factor = row[i]! / rows[i]![i]!
      for (let j = i; j < row.length; j++) row[j]! -= factor * rows[i]![j]!
    }
  }
  return rows.map((row, i) => row.at(-1)! / row[i]!)
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** The threshold that decides most questions rightly, in the middle of where it may lie. */
function bestThreshold(judged: readonly { readonly retrieve: boolean; readonly probability: number }[]) {
  const sorted = [...judged].sort((a, b) => a.probability - b.probability)
  const wanted = judged.filter(({ retrieve }) => retrieve).length
  let right = wanted
  let best = { right, from: 0, to: 0 }
  for (const [i, { retrieve }] of sorted.entries()) {
    right += retrieve ? -1 : 1
    if (right > best.right) best = { right, from: i + 1, to: i + 1 }
    else if (right === best.right && best.to === i) best = { ...best, to: i + 1 }
  }
  const edge = (i: number): number => ((sorted[i - 1]?.probability ?? 0) + (sorted[i]?.probability ?? 1)) / 2
  const threshold = (edge(best.from) + edge(best.to)) / 2
  const chosen = judged.filter(({ probability }) => probability >= threshold)
  const hits = chosen.filter(({ retrieve }) => retrieve).length
  return {
    threshold,
    precision: chosen.length === 0 ? 0 : hits / chosen.length,
    recall: hits / wanted,
  }
}
