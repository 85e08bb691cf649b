/**
 * @module Fits a router to labelled questions over the documents and the base that it will decide for.
 */
import type { Answering } from "./decide.ts"
import { draftOf } from "./draft.ts"
import { featuresOf } from "./features.ts"
import type { LabelledQuestion } from "./questions.ts"
import { fitRouter, type Labelled, type Router } from "./router.ts"

/** What questions are judged with. */
export type Judging = Pick<Answering, "engine" | "retriever" | "reading"> & { readonly collection: string }

/**
 * A router for these questions.
 * @throws {RangeError} If there are fewer than ten of either kind.
 */
export async function calibrateRouter(
  questions: readonly LabelledQuestion[],
  { engine, retriever, reading, collection }: Judging,
  onProgress: (done: number) => void = () => {},
): Promise<Router> {
  const examples: Labelled[] = []
  for (const { messages, retrieve } of questions) {
    const query = messages.findLast(({ role }) => role === "user")?.content ?? ""
    const found = await retriever.search({ collection, query, limit: 3 })
    const draft = await draftOf(engine, { messages, reading })
    examples.push({ features: featuresOf(messages, found, draft), retrieve })
    onProgress(examples.length)
  }
  return fitRouter(examples)
}
