/**
 * @module Batches for pre-training the embedded base: documents laid whole into rows, so that no passage is cut from its
 * question, the best-fitting ones first, so that little padding is computed.
 */

import { type Batch, IGNORE } from "../src/data/batch.ts"
import { encodeChat } from "../src/text/chat.ts"
import type { Tokenizer } from "../src/text/tokenizer-contract.ts"
import type { CorpusDocument } from "./corpus/document.ts"

/** A document as token ids, ended by the end token. */
export function encodeDocument(tokenizer: Tokenizer, document: CorpusDocument): readonly number[] {
  if ("messages" in document)
    return encodeChat(
      tokenizer,
      document.messages.map((message) => ({ ...message })),
    ).ids
  return [...tokenizer.encode(` ${document.text}`), tokenizer.eosId!]
}

/** Documents that wait for a row that they fit into. */
const POOL = 64

/** Batches [rows, length] without end. Documents longer than a row are left out. */
export function* packDocuments(documents: Iterable<readonly number[]>, rows: number, length: number): Generator<Batch> {
  const pool: (readonly number[])[] = []
  const source = documents[Symbol.iterator]()
  const refill = (): void => {
    while (pool.length < POOL) {
      const { done, value } = source.next()
      if (done) return
      if (value.length <= length) pool.push(value)
    }
  }
  for (;;) {
    const ids = new Int32Array(rows * length)
    const labels = new Int32Array(rows * length).fill(IGNORE)
    let tokens = 0
    let labelled = 0
    for (let row = 0; row < rows; row++) {
      let at = 0
      for (;;) {
        refill()
        // The first of the row is the oldest document, so that none waits for ever; then the longest that fits.
        const index = at === 0 ? 0 : longest(pool, length - at)
        if (index < 0 || pool.length === 0) break
        const [document] = pool.splice(index, 1)
        ids.set(document!, row * length + at)
        labels.set(document!, row * length + at)
        at += document!.length
      }
      tokens += at
      labelled += Math.max(0, at - 1)
    }
    if (tokens === 0) return
    yield { rows, length, ids, labels, tokens, labelled }
  }
}

/** Index of the longest document of at most `room` tokens, or -1. */
function longest(pool: readonly (readonly number[])[], room: number): number {
  let best = -1
  for (const [i, document] of pool.entries()) {
    if (document.length <= room && document.length > (best < 0 ? 0 : pool[best]!.length)) best = i
  }
  return best
}
