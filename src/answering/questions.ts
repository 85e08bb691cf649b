/**
 * @module Labelled questions: what routers are calibrated and retrieval is measured by. JSON lines of
 * `{"question"}` or `{"messages"}` with `"retrieve"`, and where it is measured `"answer"`, `"kind"` and `"document"`.
 */
import * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"

/** A labelled question. */
export interface LabelledQuestion {
  readonly messages: readonly ChatMessage[]
  /** Whether it needs documents. */
  readonly retrieve: boolean
  readonly answer: string | null
  /** Questions of one kind are counted together. */
  readonly kind: string
  /** The document that answers it. */
  readonly document: string | null
}

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(100_000))
const message = v.object({ role: v.picklist(["system", "user", "assistant"]), content: text })
const row = v.object({
  question: v.optional(text),
  messages: v.optional(v.pipe(v.array(message), v.minLength(1))),
  retrieve: v.boolean(),
  answer: v.nullish(v.string()),
  kind: v.optional(v.pipe(v.string(), v.maxLength(64))),
  document: v.nullish(v.string()),
})

/**
 * The questions of a file.
 * @param path for errors
 * @throws {EspalierError} `invalid_file` naming the line and the field
 */
export function readQuestions(content: string, path: string): LabelledQuestion[] {
  const questions: LabelledQuestion[] = []
  for (const [i, line] of content.split("\n").entries()) {
    if (line.trim() === "") continue
    const wrong = (message: string): EspalierError =>
      new EspalierError("invalid_file", `${path}, line ${i + 1}: ${message}`)
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch {
      throw wrong("expected a JSON object")
    }
    const result = v.safeParse(row, json, { abortEarly: true })
    if (!result.success) throw wrong(`${v.getDotPath(result.issues[0]) ?? "the row"}: ${result.issues[0].message}`)
    const { question, messages, retrieve, answer, kind, document } = result.output
    if ((question === undefined) === (messages === undefined)) throw wrong("expected either question or messages")
    questions.push({
      messages: messages ?? [{ role: "user", content: question! }],
      retrieve,
      answer: answer ?? null,
      kind: kind ?? (retrieve ? "fact" : "form"),
      document: document ?? null,
    })
  }
  if (questions.length === 0) throw new EspalierError("invalid_file", `There is no question in ${path}`)
  return questions
}
