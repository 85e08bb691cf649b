/**
 * @module A grammar over bytes as a constraint over tokens: which tokens may come next, so that the text can still end well.
 */
import type { Expression } from "./grammar.ts"
import type { TextGrammar } from "./json-grammar.ts"

/** What one generation's text must be. */
export interface TokenConstraint {
  /** Token ids that may come next, as bits: id is at bit id % 32 of word id >> 5. Don't write to it. */
  mask(): Uint32Array
  /** Takes the next token. @throws {RangeError} if it is not among those of `mask` */
  accept(id: number): void
  /** Whether the text is whole and nothing but an end token may come. */
  readonly done: boolean
}

/** A vocabulary, as constraints need it. */
export interface ConstraintVocabulary {
  readonly size: number
  /** Special tokens among others, which no text holds. */
  isSpecial(id: number): boolean
  tokenBytes(id: number): Uint8Array
}

/** Tokens by their bytes. */
interface TrieNode {
  readonly ids: number[]
  readonly children: Map<number, TrieNode>
}

/** Masks that are kept for each grammar, at most. */
const MOST_MASKS = 512

/** A grammar over one vocabulary: build it once, and take a constraint from it for each generation. */
export interface CompiledConstraint {
  start(): TokenConstraint
}

/** A vocabulary's tokens in order of their bytes, shared by all grammars over it. */
export type TokenTrie = TrieNode & { readonly size: number }

/** Sorts a vocabulary once. */
export function createTokenTrie(vocabulary: ConstraintVocabulary): TokenTrie {
  const root: TrieNode = { ids: [], children: new Map() }
  for (let id = 0; id < vocabulary.size; id++) {
    const bytes = vocabulary.isSpecial(id) ? [] : vocabulary.tokenBytes(id)
    // A token without bytes could be taken for ever.
    if (bytes.length === 0) continue
    let node = root
    for (const byte of bytes) {
      let child = node.children.get(byte)
      if (!child) {
        child = { ids: [], children: new Map() }
        node.children.set(byte, child)
      }
      node = child
    }
    node.ids.push(id)
  }
  return { ...root, size: vocabulary.size }
}

/**
 * @param ends tokens that end a text; they may come where it may end
 * @param bytesOf a token's bytes
 */
export function compileConstraint(
  { grammar, start }: TextGrammar,
  trie: TokenTrie,
  ends: readonly number[],
  bytesOf: (id: number) => Uint8Array,
): CompiledConstraint {
  const masks = new Map<number, Uint32Array>()
  const maskOf = (state: Expression): Uint32Array => {
    const known = masks.get(state.id)
    if (known) return known
    const mask = new Uint32Array(Math.ceil(trie.size / 32))
    const allow = (id: number): void => {
      mask[id >> 5]! |= 1 << (id & 31)
    }
    const visit = (node: TrieNode, at: Expression): void => {
      node.ids.forEach(allow)
      for (const [byte, child] of node.children) {
        const next = grammar.after(at, byte)
        if (next !== grammar.nothing) visit(child, next)
      }
    }
    visit(trie, state)
    if (state.nullable) ends.forEach(allow)
    const [oldest] = masks.keys()
    if (masks.size >= MOST_MASKS && oldest !== undefined) masks.delete(oldest)
    masks.set(state.id, mask)
    return mask
  }
  return {
    start() {
      let state = start
      let isEnded = false
      return {
        mask: () => maskOf(state),
        accept(id) {
          if (isEnded || ((maskOf(state)[id >> 5] ?? 0) & (1 << (id & 31))) === 0)
            throw new RangeError(`Token ${id} may not come here`)
          isEnded = ends.includes(id)
          if (!isEnded) for (const byte of bytesOf(id)) state = grammar.after(state, byte)
        },
        get done() {
          return isEnded || state === grammar.empty
        },
      }
    },
  }
}
