/**
 * @module A tokenizer's vocabulary as a tree over its tokens' bytes, in one pass of which all tokens that may come next
 * are found: what no token's beginning leads to is never looked at.
 */
import type { Tokenizer } from "../../text/tokenizer-contract.ts"
import type { Automaton, State } from "./automaton.ts"

/** The tokens that write text. */
export interface Vocabulary {
  /** Bytes of a token; empty for special ones, which write none. */
  bytesOf(id: number): Uint8Array
  /** The tokens that may come in `state`, a bit each [ceil(V / 32)]; remembered with the state. */
  mask(automaton: Automaton, state: State): Uint32Array
}

/** The vocabulary of a tokenizer. */
export function createVocabulary(tokenizer: Tokenizer): Vocabulary {
  const tokens: Uint8Array[] = []
  for (let id = 0; id < tokenizer.vocabSize; id++)
    tokens.push(tokenizer.isSpecial(id) ? new Uint8Array(0) : tokenizer.tokenBytes(id))
  const tree = layOut(tokens)
  return {
    bytesOf: (id) => tokens[id] ?? new Uint8Array(0),
    mask(automaton, state) {
      if (state.mask !== null) return state.mask
      const mask = new Uint32Array(Math.ceil(tokens.length / 32))
      const path: State[] = [state]
      let at = 0
      while (at < tree.length) {
        const { byte, depth, after, ids } = tree[at]!
        const next = automaton.step(path[depth]!, byte)
        if (next === null) {
          at = after
          continue
        }
        for (const id of ids) mask[id >> 5]! |= 1 << (id & 31)
        path[depth + 1] = next
        at++
      }
      state.mask = mask
      return mask
    },
  }
}

/** A place in the tree, which is laid out so that what is below a place follows it. */
interface Place {
  readonly byte: number
  readonly depth: number
  /** The first place that is not below this one. */
  after: number
  /** The tokens that end here. */
  readonly ids: number[]
}

function layOut(tokens: readonly Uint8Array[]): Place[] {
  const order = tokens.flatMap((bytes, id) => (bytes.length > 0 ? [id] : []))
  order.sort((left, right) => compare(tokens[left]!, tokens[right]!))
  const places: Place[] = []
  const open: Place[] = []
  let before = new Uint8Array(0)
  for (const id of order) {
    const bytes = tokens[id]!
    let shared = 0
    while (shared < before.length && before[shared] === bytes[shared]) shared++
    for (const place of open.splice(shared)) place.after = places.length
    for (let depth = shared; depth < bytes.length; depth++) {
      const place = { byte: bytes[depth]!, depth, after: 0, ids: [] }
      places.push(place)
      open.push(place)
    }
    open[bytes.length - 1]!.ids.push(id)
    before = bytes as Uint8Array<ArrayBuffer>
  }
  for (const place of open) place.after = places.length
  return places
}

function compare(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length)
  for (let i = 0; i < shared; i++) if (left[i] !== right[i]) return left[i]! - right[i]!
  return left.length - right.length
}
