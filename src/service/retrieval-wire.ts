/**
 * @module What a chat request may say of retrieval, and what answers tell of it: `x_espalier.retrieval` and annotations.
 */
import * as v from "valibot"
import { type RetrievalMode, retrievalModes } from "../answering/decide.ts"
import type { Features } from "../answering/features.ts"
import { collectionName, filters, metadata } from "./documents-wire.ts"

const mode = v.picklist(retrievalModes)

/** `retrieval` of a request: a mode, or a mode with where to look and how many passages to use at most. */
export const retrievalField = v.nullish(
  v.union([
    mode,
    v.object({
      mode,
      collection: v.optional(collectionName),
      filter: v.optional(metadata),
      filters: v.optional(filters),
      limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50))),
    }),
  ]),
)

/** A passage as a decision names it. */
export interface PassageFact {
  readonly document_id: string
  readonly title: string
  readonly chunk: number
  readonly start: number
  readonly end: number
  readonly score: number
  readonly relevance: number
  readonly text: string
}

/** `x_espalier.retrieval` of an answer. */
export interface RetrievalBody {
  readonly mode: RetrievalMode
  readonly collection: string
  /** Whether the answer was to come from documents. */
  readonly retrieved: boolean
  /** Whether it was not to be found there. */
  readonly abstained: boolean
  /** Of `auto`: that the question needs documents; they are searched from the threshold on. */
  readonly probability: number | null
  readonly threshold: number | null
  readonly features: Features | null
  readonly passages: readonly PassageFact[]
}

/** A citation, in the shape of OpenAI's annotations. */
export interface CitationBody {
  readonly type: "file_citation"
  readonly file_citation: {
    readonly document_id: string
    readonly title: string
    readonly chunk: number
    /** Its place in the document's text, in UTF-16 code units. */
    readonly start: number
    readonly end: number
  }
}
