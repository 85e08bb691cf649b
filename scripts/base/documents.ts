/**
 * @module Batches for pre-training the embedded base: documents laid whole into rows, so that no passage is cut from its
 * question, the best-fitting ones first, so that little padding is computed.
 */
import { type Batch, IGNORE } from "../../src/data/batch.ts"
import { encodeChat } from "../../src/text/chat.ts"
import type { Tokenizer } from "../../src/text/tokenizer-contract.ts"
import type { CorpusDocument } from "../corpus/document.ts"

/** Which tokens of a conversation are learned: every one, or those that an assistant writes. */
export type LearnedTokens = "all" | "answers"

/** What is learned in a run: `fading` begins with whole conversations and ends with answers mostly. */
export type Learned = LearnedTokens | "fading"

/** Documents over which whole conversations become few, and the share that stays. */
const FADING_DOCUMENTS = 200_000
const FADED_SHARE = 0.1

/** The share of conversations that are learned whole after `count` documents. */
export function wholeShare(learned: Learned, count: number): number {
  if (learned !== "fading") return learned === "all" ? 1 : 0
  return Math.max(FADED_SHARE, 1 - count / FADING_DOCUMENTS)
}

/** A document as token ids, with what is learned of them. */
export interface EncodedDocument {
  readonly ids: readonly number[]
  /** Ids, or IGNORE where a token is only read. */
  readonly labels: readonly number[]
}

/** A document, ended by the end token. */
export function encodeDocument(
  tokenizer: Tokenizer,
  document: CorpusDocument,
  learned: LearnedTokens,
): EncodedDocument {
  if ("text" in document) {
    const ids = [...tokenizer.encode(` ${document.text}`), tokenizer.eosId!]
    return { ids, labels: ids }
  }
  const chat = encodeChat(
    tokenizer,
    document.messages.map((message) => ({ ...message })),
  )
  const { ids } = chat
  if (learned === "all") return { ids, labels: ids }
  const labels = new Array<number>(ids.length).fill(IGNORE)
  for (const { role, start, end } of chat.spans) {
    if (role === "assistant") for (let i = start; i < end; i++) labels[i] = ids[i]!
  }
  return { ids, labels }
}

/** Documents that wait for a row that they fit into. */
const POOL = 64

/**
 * Batches [rows, length] without end. Documents longer than a row are left out.
 * @param separator stands between documents: without it a new conversation would look like the next turn of the last
 */
export function* packDocuments(
  documents: Iterable<EncodedDocument>,
  rows: number,
  length: number,
  separator: number,
): Generator<Batch> {
  const pool: EncodedDocument[] = []
  const source = documents[Symbol.iterator]()
  const refill = (): void => {
    while (pool.length < POOL) {
      const { done, value } = source.next()
      if (done) return
      if (value.ids.length <= length) pool.push(value)
    }
  }
  for (;;) {
    const ids = new Int32Array(rows * length)
    const labels = new Int32Array(rows * length).fill(IGNORE)
    let tokens = 0
    for (let row = 0; row < rows; row++) {
      let at = 0
      for (;;) {
        refill()
        // The first of the row is the oldest document, so that none waits for ever; then the longest that fits.
        const index = at === 0 ? 0 : longest(pool, length - at - 1)
        if (index < 0 || pool.length === 0) break
        if (at > 0) ids[row * length + at++] = separator
        const [document] = pool.splice(index, 1)
        ids.set(document!.ids, row * length + at)
        labels.set(document!.labels, row * length + at)
        at += document!.ids.length
      }
      tokens += at
      // Nothing comes before a row's first token.
      labels[row * length] = IGNORE
    }
    if (tokens === 0) return
    yield { rows, length, ids, labels, tokens, labelled: labels.reduce((sum, id) => sum + Number(id !== IGNORE), 0) }
  }
}

/** Index of the longest document of at most `room` tokens, or -1. */
function longest(pool: readonly EncodedDocument[], room: number): number {
  let best = -1
  for (const [i, { ids }] of pool.entries()) {
    if (ids.length <= room && ids.length > (best < 0 ? 0 : pool[best]!.ids.length)) best = i
  }
  return best
}
