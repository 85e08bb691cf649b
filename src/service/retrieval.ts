/**
 * @module Retrieval in a chat completion: what becomes of its messages, and what its answer tells.
 */
import type * as v from "valibot"
import { citedPassages } from "../answering/citations.ts"
import { type Answering, type Decision, decide } from "../answering/decide.ts"
import { saysUnknown } from "../answering/reading.ts"
import { EspalierError } from "../core/errors.ts"
import { both, equalTo } from "../rag/filter.ts"
import type { Passage } from "../rag/retriever.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { ServiceContext } from "./context.ts"
import { DEFAULT_COLLECTION } from "./documents-wire.ts"
import type { CallOptions } from "./generate.ts"
import { retrieveModel } from "./models.ts"
import type { CitationBody, RetrievalBody, retrievalField } from "./retrieval-wire.ts"

/** A request after retrieval. */
export interface Retrieved {
  readonly messages: readonly ChatMessage[]
  /** The answer, where there is nothing to answer from; null where the model answers. */
  readonly abstention: string | null
  /** What to tell of it, once the answer is known. */
  told(answer: string): { readonly retrieval: RetrievalBody; readonly annotations: readonly CitationBody[] }
}

/** Tokens of an answer for which room is kept where a request names none. */
const ANSWER_TOKENS = 64

/**
 * What a request's messages become; null where neither it nor the server asks for retrieval.
 * @throws {EspalierError} `unsupported` where there are no documents, `not_found` for a collection or model that is not there,
 *   `invalid_request` where the answer that was asked for leaves no room for passages
 */
export async function retrieve(
  context: ServiceContext,
  request: {
    readonly model: string
    readonly retrieval?: v.InferOutput<typeof retrievalField>
    readonly messages: readonly ChatMessage[]
    readonly answerTokens: number | null
  },
  { signal, tenant = "" }: CallOptions,
): Promise<Retrieved | null> {
  const { retrieval: options, engine } = context
  const given = typeof request.retrieval === "string" ? { mode: request.retrieval } : request.retrieval
  const asked = given?.mode ?? options?.mode ?? "off"
  if (asked === "off") return null
  if (!options)
    throw new EspalierError("unsupported", "This server keeps no documents", {
      hint: "Start it with a folder for them (--documents)",
      param: "retrieval",
    })
  const { source, profile } = options
  const name = given?.collection ?? DEFAULT_COLLECTION
  const collection = source.find(tenant, name)
  if (!collection) {
    // Nobody asked for this one: a server that has nothing to search yet answers as if it searched nothing.
    if (given === undefined || given === null) return null
    throw new EspalierError("not_found", `There is no collection "${name}"`, { param: "retrieval.collection" })
  }
  const adapter = request.model === engine.info.base ? null : request.model
  const { contextLength } = engine.info
  const { virtualTokens = 0 } = (adapter !== null && (await engine.list()).find(({ name }) => name === adapter)) || {}
  const answering: Answering = { engine, ...source, ...profile, count: source.retriever.count, contextLength }
  const question = {
    messages: request.messages,
    mode: asked,
    collection: collection.id,
    filter: both(given?.filter && equalTo(given.filter), given?.filters),
    ...(given?.limit !== undefined && { passages: given.limit }),
    answerTokens: request.answerTokens ?? Math.min(ANSWER_TOKENS, Math.floor(contextLength / 4)),
    virtualTokens,
  }
  const { decision, messages } = await decide(question, answering, signal)
  // Nothing will be asked of the model, so nobody else would find out that there is none of this name.
  if (decision.nothingFound && adapter !== null) await retrieveModel(context, adapter)
  const words = request.messages.findLast(({ role }) => role === "user")?.content ?? ""
  return {
    messages,
    abstention: decision.nothingFound ? (options.abstention ?? "I don't know.") : null,
    told: (answer) => ({
      retrieval: body(decision, collection.name, answering, answer),
      annotations: citedPassages(answer, words, decision.passages).map(citation),
    }),
  }
}

const body = (
  decision: Decision,
  collection: string,
  { reading, router }: Answering,
  answer: string,
): RetrievalBody => ({
  mode: decision.mode,
  collection,
  retrieved: decision.retrieved,
  abstained: decision.nothingFound || (decision.retrieved && saysUnknown(answer, reading)),
  probability: decision.probability,
  threshold: decision.probability === null ? null : router.threshold,
  features: decision.features,
  passages: decision.passages.map((passage) => ({
    ...placeOf(passage),
    score: passage.score,
    relevance: passage.relevance,
    text: passage.text,
  })),
})

const citation = (passage: Passage): CitationBody => ({ type: "file_citation", file_citation: placeOf(passage) })

const placeOf = ({ documentId, title, chunk, start, end }: Passage) => ({
  document_id: documentId,
  title,
  chunk,
  start,
  end,
})
