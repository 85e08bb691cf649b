/**
 * @module What retrieval is worth: answers from the model alone, with documents always, and as the router decides; how often
 * it decides rightly, abstains where there is no answer, and what it costs in time.
 */
import { type Answering, decide, type RetrievalMode } from "./decide.ts"
import type { LabelledQuestion } from "./questions.ts"
import { saysUnknown } from "./reading.ts"

/** How one model did in one mode, over the questions of one kind. */
export interface Tally {
  readonly questions: number
  /** Answers that are the wanted one, to the letter. */
  readonly exact: number
  /** Answers that hold the wanted one. */
  readonly holds: number
  /** Answers that say it isn't known, or that nothing was found. */
  readonly abstained: number
  /** Answers of the wanted form. */
  readonly formed: number
}

/** How one model did in one mode. */
export interface ModeFigures {
  readonly kinds: Readonly<Record<string, Tally>>
  /** Median of the time to a whole answer, in milliseconds. */
  readonly medianMs: number
  /** Median of the part of it in which documents were searched and the way was decided. */
  readonly decidingMs: number
}

/** How one model did. */
export type ModelFigures = Readonly<Record<RetrievalMode, ModeFigures>>

/** How the router did. */
export interface RouterFigures {
  readonly accuracy: number
  readonly precision: number
  readonly recall: number
}

/** What questions are answered with. */
export interface Measuring extends Answering {
  readonly collection: string
  /** The adapter that answers; null for the base. */
  readonly adapter: string | null
  /** What an answer should look like. */
  readonly form: (answer: string) => boolean
  /** Tokens of an answer at most. */
  readonly answerTokens: number
  readonly onProgress?: (done: number, total: number) => void
}

/** Answers every question in every mode. */
export async function measureModel(
  questions: readonly LabelledQuestion[],
  parts: Measuring,
): Promise<{ readonly model: ModelFigures; readonly router: RouterFigures }> {
  const modes: readonly RetrievalMode[] = ["off", "always", "auto"]
  const figures: Partial<Record<RetrievalMode, ModeFigures>> = {}
  const decided: { readonly wanted: boolean; readonly retrieved: boolean }[] = []
  let done = 0
  for (const mode of modes) {
    const tallies: Record<string, Tally> = {}
    const times: number[] = []
    const deciding: number[] = []
    for (const question of questions) {
      const began = performance.now()
      const { text, retrieved, nothingFound, decidingMs } = await answered(question, mode, parts)
      times.push(performance.now() - began)
      deciding.push(decidingMs)
      if (mode === "auto") decided.push({ wanted: question.retrieve, retrieved })
      const before = tallies[question.kind] ?? { questions: 0, exact: 0, holds: 0, abstained: 0, formed: 0 }
      const wanted = question.answer
      tallies[question.kind] = {
        questions: before.questions + 1,
        exact: before.exact + (wanted !== null && text === wanted.trim() ? 1 : 0),
        holds: before.holds + (wanted !== null && holds(text, wanted) ? 1 : 0),
        abstained: before.abstained + (nothingFound || saysUnknown(text, parts.reading) ? 1 : 0),
        formed: before.formed + (parts.form(text) ? 1 : 0),
      }
      parts.onProgress?.(++done, modes.length * questions.length)
    }
    figures[mode] = { kinds: tallies, medianMs: median(times), decidingMs: median(deciding) }
  }
  return { model: figures as ModelFigures, router: routerFigures(decided) }
}

/** How often the document that answers a question is among the first that are found, from 0 to 1, for each of `depths`. */
export async function recallAt(
  questions: readonly LabelledQuestion[],
  { retriever, collection }: Pick<Measuring, "retriever" | "collection">,
  depths: readonly number[],
): Promise<Record<number, number>> {
  const hits = new Map(depths.map((depth) => [depth, 0]))
  const asked = questions.filter(({ document }) => document !== null)
  for (const { messages, document } of asked) {
    const query = messages.at(-1)!.content
    const found = await retriever.search({ collection, query, limit: Math.max(...depths) })
    const place = found.findIndex(({ documentId }) => documentId === document)
    for (const depth of depths) if (place >= 0 && place < depth) hits.set(depth, hits.get(depth)! + 1)
  }
  return Object.fromEntries([...hits].map(([depth, count]) => [depth, asked.length === 0 ? 0 : count / asked.length]))
}

/** An answer, and how it came about. */
export interface Answered {
  readonly text: string
  readonly retrieved: boolean
  /** Whether there was nothing to answer from, so that no model was asked. */
  readonly nothingFound: boolean
  /** The adapter that answered; null for the base, or for nobody. */
  readonly adapter: string | null
  /** Milliseconds until the way was decided. */
  readonly decidingMs: number
}

/** Answers a question as a server would. @throws {EspalierError} What the retriever or the engine refuses. */
export async function answered(
  { messages }: LabelledQuestion,
  mode: RetrievalMode,
  parts: Measuring,
): Promise<Answered> {
  const { engine, adapter, collection, answerTokens } = parts
  const began = performance.now()
  const { decision, messages: shown } = await decide({ messages, mode, collection, answerTokens }, parts)
  const { retrieved, nothingFound } = decision
  const way = { retrieved, nothingFound, decidingMs: performance.now() - began }
  if (nothingFound) return { ...way, text: `${parts.reading.unknown[0]}.`, adapter: null }
  const generation = await engine.generate({
    prompts: [{ messages: shown }],
    adapter,
    maxTokens: answerTokens,
    sampling: { temperature: 0 },
  })
  let text = ""
  for await (const event of generation.events) if (event.type === "text-delta") text += event.text
  return { ...way, text: text.trim(), adapter: generation.adapter?.name ?? null }
}

function routerFigures(decided: readonly { readonly wanted: boolean; readonly retrieved: boolean }[]): RouterFigures {
  const count = (test: (each: (typeof decided)[number]) => boolean): number => decided.filter(test).length
  const hits = count(({ wanted, retrieved }) => wanted && retrieved)
  const part = (of: number, all: number): number => (all === 0 ? 0 : of / all)
  return {
    accuracy: part(
      count(({ wanted, retrieved }) => wanted === retrieved),
      decided.length,
    ),
    precision: part(
      hits,
      count(({ retrieved }) => retrieved),
    ),
    recall: part(
      hits,
      count(({ wanted }) => wanted),
    ),
  }
}

/** Whether a text has the wanted one in it, as whole words. */
export function holds(text: string, wanted: string): boolean {
  const at = text.indexOf(wanted.trim())
  if (at < 0) return false
  const isWord = (character: string | undefined): boolean => character !== undefined && /[\p{L}\p{N}]/u.test(character)
  return !isWord(text[at - 1]) && !isWord(text[at + wanted.trim().length])
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
