/**
 * @module What an adapter has gained and lost: its scores on a suite less those of the base.
 */
import type { MeanScore, SuiteScores } from "./score-suite.ts"

/** Differences, after less before: positive where more was right, or where more was abstained. */
export interface ScoreDifference {
  readonly family: string
  readonly exact: number
  readonly abstained: number
}

/** Scores after less scores before. */
export interface SuiteDifference {
  readonly families: readonly ScoreDifference[]
  /** Of the means over all families; null where there are none. */
  readonly exact: number | null
  /** Of the mean loss a token, in nats: positive where texts are predicted worse. Null where there are no texts. */
  readonly loss: number | null
}

/**
 * Compares two scores over the same items.
 * @throws {TypeError} If they are not of the same families.
 */
export function compareScores(before: SuiteScores, after: SuiteScores): SuiteDifference {
  const names = (scores: SuiteScores): string => scores.families.map(({ family, items }) => `${family} ${items}`).join()
  if (names(before) !== names(after)) {
    throw new TypeError(`Expected scores of the same items but found ${names(before)} and ${names(after)}`)
  }
  const exactOf = (mean: MeanScore | null): number => mean?.exact ?? Number.NaN
  return {
    families: before.families.map(({ family, exact, abstained }, i) => ({
      family,
      exact: after.families[i]!.exact - exact,
      abstained: after.families[i]!.abstained - abstained,
    })),
    exact: before.mean.all && exactOf(after.mean.all) - before.mean.all.exact,
    loss: before.text && after.text && after.text.loss - before.text.loss,
  }
}
