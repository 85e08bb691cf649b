/**
 * @module Form against fact: an adapter that answers in JSON, documents that know the answers, both and neither, asked what
 * documents answer and what needs none.
 */
import { join } from "node:path"
import type { ModelFigures, RouterFigures } from "../../src/answering/measure.ts"
import { espalier } from "../espalier.ts"

/** How questions of one kind were answered. */
export interface KindFigures {
  /** Answers that hold the right one, from 0 to 1. */
  readonly right: number
  /** Answers that are JSON, from 0 to 1. */
  readonly formed: number
}

/** One way to answer. */
export interface FactsRow {
  readonly name: string
  readonly fact: KindFigures
  readonly form: KindFigures
  /** Median of the time to a whole answer, in milliseconds. */
  readonly median_ms: number
}

/** Every way to answer. */
export interface FactsFigures {
  /** Questions of each kind. */
  readonly questions: number
  readonly rows: readonly FactsRow[]
  /** Of the router, over the base: how often its way is the right one, from 0 to 1. */
  readonly router_accuracy: number
}

interface RagRecord {
  readonly models: readonly { readonly figures: ModelFigures; readonly router: RouterFigures }[]
}

/** @param questions of each kind */
export async function studyFacts({
  questions,
  folder,
  say,
}: {
  questions: number
  folder: string
  say(text: string): void
}): Promise<FactsFigures> {
  const data = (part: string): string => `models/sprig/retrieval/${part}.json.jsonl`
  say("form against fact: an adapter that answers in JSON ...")
  const out = join(folder, "json")
  const recipe = ["--epochs", "1", "--learning-rate", "0.003", "--no-score", "--retention", "off"]
  await espalier("train", "--data", data("train"), ...recipe, "--out", out)
  say("form against fact: with documents and without ...")
  const asked = ["--rag", "--adapter", `json=${out}`, "--form", "json", "--limit", String(questions)]
  const { models } = await espalier<RagRecord>("eval", ...asked)
  return factsOf(models, questions)
}

const ways = [
  ["neither", 0, "off"],
  ["adapter alone", 1, "off"],
  ["retrieval alone", 0, "always"],
  ["both", 1, "always"],
  ["both, where the router says so", 1, "auto"],
] as const

/** The figures out of what `eval --rag` tells of a base and an adapter. @param questions of each kind at most */
export function factsOf(models: RagRecord["models"], questions: number): FactsFigures {
  const rows = ways.map(([name, model, mode]): FactsRow => {
    const { kinds, medianMs } = models[model]!.figures[mode]
    const kind = (which: string): KindFigures => {
      const { questions: count, holds, formed } = kinds[which]!
      return { right: holds / count, formed: formed / count }
    }
    return { name, fact: kind("fact"), form: kind("form"), median_ms: medianMs }
  })
  return { questions, rows, router_accuracy: models[0]!.router.accuracy }
}
