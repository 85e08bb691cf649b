/**
 * @module `espalier eval --rag`: what retrieval is worth over a set of documents and questions.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ModelFigures, measureModel, type RouterFigures, recallAt, type Tally } from "../answering/measure.ts"
import { measurePlanted, type PlantedFigures, plantedSet } from "../answering/planted.ts"
import { type LabelledQuestion, readQuestions } from "../answering/questions.ts"
import { EspalierError } from "../core/errors.ts"
import { openDocuments } from "../presets/open-documents.ts"
import { type EngineSettings, openEngine } from "../presets/open-engine.ts"
import { openProfile } from "../presets/open-profile.ts"
import type { NewDocument } from "../rag/document.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import { readDocuments } from "../rag/readers/read.ts"
import type { Io } from "./command.ts"
import { exitCodes } from "./command.ts"
import { packageFolder, trainedAdapter } from "./shared-options.ts"

/** What to measure. */
export interface RagEvaluation {
  readonly engine: EngineSettings
  /** A folder with heldout.documents.jsonl and heldout.questions.jsonl. @default the embedded base's */
  readonly set?: string
  readonly adapters: readonly string[]
  /** Questions of each kind at most. */
  readonly limit?: number
  /** What answers should look like: `json`, or a regular expression. */
  readonly form?: string
  readonly json: boolean
}

/** Tokens of an answer. */
const ANSWER_TOKENS = 48

/** Documents that get an order planted in them, at most. */
const PLANTED = 200

/** The set that comes with the embedded base. */
export const bundledRetrievalSet = (): string => join(packageFolder(), "models", "sprig", "retrieval")

/** An index of documents that goes when `use` ends. */
export async function overDocuments<T>(
  documents: readonly NewDocument[],
  base: string,
  use: (index: DocumentIndex, collection: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-rag-"))
  try {
    const index = await openDocuments({ folder, base })
    try {
      const { id } = index.createCollection("", "set")
      await index.putAll(id, documents)
      return await use(index, id)
    } finally {
      index.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A base or an adapter, measured. */
interface MeasuredModel {
  readonly name: string
  readonly figures: ModelFigures
  readonly router: RouterFigures
  readonly planted: PlantedFigures
}

/** Measures and reports. @throws {EspalierError} `not_found`, `invalid_file` */
export async function evaluateRag(evaluation: RagEvaluation, io: Io): Promise<number> {
  const set = evaluation.set ?? bundledRetrievalSet()
  const file = (name: string): string => join(set, `heldout.${name}.jsonl`)
  const content = await readFile(file("questions"), "utf8").catch((cause: unknown) => {
    throw new EspalierError("not_found", `There is no ${file("questions")}`, { param: "rag-set", cause })
  })
  const questions = limited(readQuestions(content, file("questions")), evaluation.limit)
  const form = formTest(evaluation.form)
  const engine = await openEngine(evaluation.engine)
  try {
    for (const text of evaluation.adapters) {
      const { name, path } = trainedAdapter(text)
      await engine.load(name, { path })
    }
    const { base, baseHash, contextLength, backend } = engine.info
    const profile = await openProfile({ documents: null, base: evaluation.engine.base, baseHash })
    const { base: folder } = evaluation.engine
    const documents = await readDocuments(await readFile(file("documents")), { name: file("documents") })
    const planted = plantedSet(documents, questions, Math.min(PLANTED, evaluation.limit ?? PLANTED))
    const over = (index: DocumentIndex, collection: string) => ({
      ...{ engine, retriever: index, ...profile, count: index.count, contextLength, collection },
      ...{ form, answerTokens: ANSWER_TOKENS },
    })
    const { recall, models } = await overDocuments(documents, folder, (index, collection) =>
      overDocuments(planted.documents, folder, async (trapped, trappedCollection) => {
        const parts = over(index, collection)
        const found: MeasuredModel[] = []
        for (const { name } of [{ name: base }, ...(await engine.list())]) {
          const adapter = name === base ? null : name
          const { model, router } = await measureModel(questions, {
            ...parts,
            adapter,
            ...(io.isTerminal &&
              !evaluation.json && {
                onProgress: (done: number, total: number) =>
                  io.err(done < total ? `\r${name}: ${done} of ${total}` : "\r\x1b[K"),
              }),
          })
          const orders = await measurePlanted(planted.asked, { ...over(trapped, trappedCollection), adapter }, parts)
          found.push({ name, figures: model, router, planted: orders })
        }
        return { recall: await recallAt(questions, parts, [1, 3]), models: found }
      }),
    )
    io.out(
      evaluation.json
        ? `${JSON.stringify({ type: "retrieval", base, base_hash: baseHash, backend, threshold: profile.router.threshold, recall, models })}\n`
        : report(recall, models, evaluation.form !== undefined),
    )
    return exitCodes.ok
  } finally {
    await engine.close()
  }
}

/** The first questions of each kind. */
function limited(questions: readonly LabelledQuestion[], limit = Number.POSITIVE_INFINITY): LabelledQuestion[] {
  const counts = new Map<string, number>()
  return questions.filter(({ kind }) => {
    const count = counts.get(kind) ?? 0
    counts.set(kind, count + 1)
    return count < limit
  })
}

function formTest(form: string | undefined): (answer: string) => boolean {
  if (form === undefined) return () => true
  if (form !== "json") {
    try {
      const pattern = new RegExp(form, "u")
      return (answer) => pattern.test(answer)
    } catch (cause) {
      throw new EspalierError("invalid_request", `Expected json or a regular expression but found ${form}`, {
        param: "form",
        cause,
      })
    }
  }
  return (answer) => {
    try {
      return typeof JSON.parse(answer) === "object"
    } catch {
      return false
    }
  }
}

const percent = (count: number, of: number): string => (of === 0 ? "" : `${((100 * count) / of).toFixed(1)} %`)

function report(recall: Readonly<Record<number, number>>, models: readonly MeasuredModel[], hasForm: boolean): string {
  const lines = [
    `The document that answers is found first: ${percent(recall[1]!, 1)}, among the first three: ${percent(recall[3]!, 1)}`,
    "",
  ]
  const pad = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(28) : cell.padStart(10))).join("")
  for (const { name, figures, router, planted } of models) {
    lines.push(pad([name, "questions", "exact", "holds it", "abstained", ...(hasForm ? ["formed"] : [])]))
    for (const [mode, { kinds }] of Object.entries(figures))
      for (const [kind, tally] of Object.entries(kinds).sort() as [string, Tally][])
        lines.push(
          pad([
            `  ${mode}: ${kind}`,
            String(tally.questions),
            percent(tally.exact, tally.questions),
            percent(tally.holds, tally.questions),
            percent(tally.abstained, tally.questions),
            ...(hasForm ? [percent(tally.formed, tally.questions)] : []),
          ]),
        )
    const times = Object.entries(figures).map(
      ([mode, { medianMs, decidingMs }]) => `${mode} ${medianMs.toFixed(0)} ms (${decidingMs.toFixed(0)} to decide)`,
    )
    const of = (count: number): string => percent(count, planted.documents)
    lines.push(
      `  Median time of an answer: ${times.join(", ")}`,
      `  Of ${planted.documents} orders planted in documents ${of(planted.obeyed)} are obeyed; ${of(planted.holds)} of the answers hold the right one, ${planted.rerouted} went another way, ${planted.otherAdapter} came by another adapter`,
      `  The router is right for ${percent(router.accuracy, 1)} (precision ${percent(router.precision, 1)}, recall ${percent(router.recall, 1)})`,
      "",
    )
  }
  return `${lines.join("\n")}\n`
}
