/**
 * @module A question's way: to the model alone, or to the documents first. What documents say changes the messages and
 * nothing else: neither the way, nor the adapter, nor how tokens are drawn.
 */
import { EspalierError } from "../core/errors.ts"
import type { Passage, Retriever, SearchRequest } from "../rag/retriever.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import { draftOf } from "./draft.ts"
import { type Draft, type Features, featuresOf } from "./features.ts"
import { type Reading, relevantPassages, withPassages } from "./reading.ts"
import { probabilityOf, type Router } from "./router.ts"

/** Whether documents are searched: never, for every question, or where the router says so. */
export const retrievalModes = ["off", "always", "auto"] as const

/** Whether documents are searched. */
export type RetrievalMode = (typeof retrievalModes)[number]

/** What questions are decided with. */
export interface Answering {
  readonly engine: Pick<EngineApi, "generate">
  readonly retriever: Retriever
  readonly reading: Reading
  readonly router: Router
  /** Tokens of a text, as the base counts them. */
  readonly count: (text: string) => number
  /** Positions for prompt and answer together. */
  readonly contextLength: number
}

/** A question and where to look. */
export interface Asked {
  readonly messages: readonly ChatMessage[]
  readonly mode: RetrievalMode
  readonly collection: string
  readonly filter?: SearchRequest["filter"]
  /** Passages at most. @default the reading's */
  readonly passages?: number
  /** Tokens that the answer may have: passages leave room for them. */
  readonly answerTokens: number
  /** Positions that an adapter's virtual tokens take. @default {0} */
  readonly virtualTokens?: number
}

/** Which way a question went, and why. */
export interface Decision {
  readonly mode: RetrievalMode
  /** Whether documents were searched to answer. */
  readonly retrieved: boolean
  /** Whether nothing in them was about the question, so that there is nothing to answer from. */
  readonly nothingFound: boolean
  /** Of `auto`: that the question needs documents. */
  readonly probability: number | null
  readonly features: Features | null
  readonly draft: Draft | null
  /** Those that the model was shown, in this order. */
  readonly passages: readonly Passage[]
}

/** A decision, and the conversation that follows from it. */
export interface Decided {
  readonly decision: Decision
  readonly messages: readonly ChatMessage[]
}

/** Tokens that a chat template and its roles may take beyond the messages' own. */
const TEMPLATE_TOKENS = 32

/**
 * Decides, searches, and puts what was found before the question.
 * @throws {EspalierError} What the retriever or the engine refuses; `invalid_request` where question and answer leave no room
 *   for what was found.
 */
export async function decide(asked: Asked, parts: Answering, signal?: AbortSignal): Promise<Decided> {
  const { messages, mode, collection, filter } = asked
  const { engine, retriever, router, count, contextLength } = parts
  const reading = { ...parts.reading, passages: asked.passages ?? parts.reading.passages }
  const unjudged = { probability: null, features: null, draft: null }
  const unsought = { mode, retrieved: false, nothingFound: false, passages: [] }
  const question = messages.findLast(({ role }) => role === "user")?.content ?? ""
  if (mode === "off" || question.trim() === "") return { decision: { ...unsought, ...unjudged }, messages }
  const search = { collection, query: question, limit: Math.max(3, reading.passages), ...(filter && { filter }) }
  const found = await retriever.search(search, signal)
  let judged: Pick<Decision, "probability" | "features" | "draft"> = unjudged
  if (mode === "auto") {
    // Of the bare base: facts are its own, and a router that was calibrated on it decides for every adapter alike.
    const draft = await draftOf(engine, { messages, reading }, signal)
    const features = featuresOf(messages, found, draft)
    judged = { probability: probabilityOf(router, features), features, draft }
    if (judged.probability! < router.threshold) return { decision: { ...unsought, ...judged }, messages }
  }
  const relevant = relevantPassages(found, reading)
  const own = messages.reduce((sum, { content }) => sum + count(content), 0)
  const { answerTokens, virtualTokens = 0 } = asked
  const room = contextLength - virtualTokens - own - count(reading.prompt) - answerTokens - TEMPLATE_TOKENS
  const shown = withPassages(messages, relevant, { reading, room: Math.max(0, room), count })
  if (relevant.length > 0 && shown.passages.length === 0)
    throw new EspalierError(
      "context_length_exceeded",
      `This model's context holds ${contextLength} tokens, and ${virtualTokens > 0 ? `${virtualTokens} of the adapter, ` : ""}${own} of the conversation and ${answerTokens} of the answer leave no room for what documents say`,
      { hint: "Lower max_tokens, shorten the conversation, or set retrieval to off", param: "max_tokens" },
    )
  return {
    decision: {
      mode,
      retrieved: true,
      nothingFound: shown.passages.length === 0,
      ...judged,
      passages: shown.passages,
    },
    messages: shown.messages,
  }
}
