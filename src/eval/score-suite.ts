/**
 * @module Scores of a base, or of an adapter over it, on a suite's items: the part of each family's questions that is
 * answered right, the part that is answered by "I don't know.", and the perplexity of its texts. Called before and after
 * training on the same items, it tells what training has cost.
 */
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { type Answerer, answerText } from "./answers.ts"
import { ABSTENTION, isUnanswerable, type SuiteItem, type SuiteQuestion, type SuiteText } from "./suite.ts"
import { textLoss } from "./text-loss.ts"

/** One family's score. */
export interface FamilyScore {
  readonly family: string
  /** Questions asked. */
  readonly items: number
  /** The part of them that was answered right, from 0 to 1. */
  readonly exact: number
  /** The part that was answered by "I don't know.": right in an unanswerable family, a failure in any other. */
  readonly abstained: number
  readonly unanswerable: boolean
  /** Questions that don't fit the base's context with their answer, and count as wrong. */
  readonly unfit: number
}

/** Means over families, each of which counts alike, however many items it has. */
export interface MeanScore {
  readonly families: number
  readonly exact: number
  readonly abstained: number
}

/** How well texts are predicted. */
export interface TextScore {
  readonly texts: number
  /** Tokens predicted: all but each text's first. */
  readonly tokens: number
  /** Mean loss a token, in nats. */
  readonly loss: number
  /** exp(loss). */
  readonly perplexity: number
}

/** Everything that a suite says of a model. */
export interface SuiteScores {
  /** Families of questions in the order of the suite. */
  readonly families: readonly FamilyScore[]
  /** Means over all families, over those that can be answered, over those that can't; null where there are none. */
  readonly mean: {
    readonly all: MeanScore | null
    readonly answerable: MeanScore | null
    readonly unanswerable: MeanScore | null
  }
  /** Null where the suite has no texts. */
  readonly text: TextScore | null
}

/** What scores are made with. */
export interface ScoreOptions extends Answerer {
  /** Awaited after each item; what it throws ends the scoring. */
  readonly onProgress?: (done: number, total: number) => void | Promise<void>
}

/**
 * Scores items.
 * @throws {EspalierError} `invalid_request` naming the line of a conversation that the base's chat template refuses.
 */
export async function scoreSuite(items: readonly SuiteItem[], options: ScoreOptions): Promise<SuiteScores> {
  const tallies = new Map<string, { items: number; right: number; abstained: number; unfit: number }>()
  const text = { texts: 0, tokens: 0, loss: 0 }
  for (const [i, item] of items.entries()) {
    if ("text" in item) {
      const { tokens, loss } = await scoreText(item, options)
      text.texts++
      text.tokens += tokens
      text.loss += loss
    } else {
      const tally = tallies.get(item.family) ?? { items: 0, right: 0, abstained: 0, unfit: 0 }
      tallies.set(item.family, tally)
      const answer = await answerOf(item, options)
      tally.items++
      if (answer === null) tally.unfit++
      else {
        if (item.answers.some((each) => each.trim() === answer)) tally.right++
        if (answer === ABSTENTION) tally.abstained++
      }
    }
    await options.onProgress?.(i + 1, items.length)
  }
  const families = [...tallies].map(
    ([family, { items, right, abstained, unfit }]): FamilyScore => ({
      family,
      items,
      exact: right / items,
      abstained: abstained / items,
      unanswerable: isUnanswerable(family),
      unfit,
    }),
  )
  const loss = text.loss / text.tokens
  return {
    families,
    mean: {
      all: meanOf(families),
      answerable: meanOf(families.filter(({ unanswerable }) => !unanswerable)),
      unanswerable: meanOf(families.filter(({ unanswerable }) => unanswerable)),
    },
    text: text.tokens === 0 ? null : { texts: text.texts, tokens: text.tokens, loss, perplexity: Math.exp(loss) },
  }
}

/** The answer to a question, or null where it doesn't fit. */
async function answerOf({ messages, answers, line }: SuiteQuestion, options: ScoreOptions): Promise<string | null> {
  try {
    return await answerText({ messages, prompt: null }, [...answers, ABSTENTION], options)
  } catch (cause) {
    if (!isEspalierError(cause, "invalid_request")) throw cause
    throw new EspalierError("invalid_request", `Line ${line} of the suite: ${cause.message}`, { cause })
  }
}

const scoreText = ({ text }: SuiteText, { tokenizer, decoder, adapter }: ScoreOptions) =>
  textLoss(tokenizer.encode(text, { addSpecial: true, parseSpecial: false }), decoder, adapter)

function meanOf(families: readonly FamilyScore[]): MeanScore | null {
  if (families.length === 0) return null
  const mean = (value: (family: FamilyScore) => number): number =>
    families.reduce((sum, family) => sum + value(family), 0) / families.length
  return { families: families.length, exact: mean(({ exact }) => exact), abstained: mean(({ abstained }) => abstained) }
}
