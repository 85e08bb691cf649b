/**
 * @module Trains a byte-level BPE (https://arxiv.org/abs/1508.07909) and writes it as an ordinary tokenizer.json. Every
 * digit is a token of its own: numbers then recur as the same tokens wherever they stand.
 */
import { byteCharacters, WORD_PATTERN } from "./byte-level.ts"

/** Settings of the training. */
export interface BpeOptions {
  /** Tokens in all: special ones, 256 bytes, and merges. */
  readonly vocabSize: number
  /** Special tokens, which take the first ids in this order. */
  readonly specialTokens: readonly string[]
  /** A pair seen fewer times is not merged. @default {2} */
  readonly minFrequency?: number
}

/** A tokenizer.json as Hugging Face's libraries read it. */
export type TokenizerJson = Readonly<Record<string, unknown>>

/** A word of the corpus as tokens, and how often it occurs. */
interface Word {
  tokens: string[]
  readonly count: number
}

/**
 * Trains on texts. The same texts give the same tokenizer: ties go to the pair that sorts first.
 * @throws {RangeError} If the vocabulary can't hold the special tokens and the bytes.
 */
export function trainBpe(
  texts: Iterable<string>,
  { vocabSize, specialTokens, minFrequency = 2 }: BpeOptions,
): TokenizerJson {
  const bytes = byteCharacters()
  if (vocabSize < specialTokens.length + bytes.length) {
    throw new RangeError(
      `Expected a vocabulary of at least ${specialTokens.length + bytes.length} tokens but found ${vocabSize}`,
    )
  }
  const words = countWords(texts, bytes)
  const vocabulary = [...specialTokens, ...[...bytes].sort()]
  const merges: [string, string][] = []
  const pairs = new PairTable(words)
  while (vocabulary.length < vocabSize) {
    const best = pairs.best()
    if (!best || best.count < minFrequency) break
    pairs.merge(best.left, best.right)
    merges.push([best.left, best.right])
    // Two different merges may spell the same token, which then has one id.
    if (!vocabulary.includes(best.left + best.right)) vocabulary.push(best.left + best.right)
  }
  return tokenizerJson(vocabulary, merges, specialTokens)
}

function countWords(texts: Iterable<string>, bytes: readonly string[]): Word[] {
  const counts = new Map<string, number>()
  const utf8 = new TextEncoder()
  for (const text of texts) {
    for (const part of text.split(/(\d)/)) {
      for (const [word] of part.matchAll(WORD_PATTERN)) counts.set(word, (counts.get(word) ?? 0) + 1)
    }
  }
  return [...counts].map(([word, count]) => ({ tokens: [...utf8.encode(word)].map((byte) => bytes[byte]!), count }))
}

/** Joins the two tokens of a pair into one key; the table's characters never include it. */
const SEPARATOR = "\n"

/** Counts of neighbouring tokens, kept current as pairs are merged. */
class PairTable {
  readonly #counts = new Map<string, number>()
  readonly #words = new Map<string, Set<Word>>()

  constructor(words: readonly Word[]) {
    for (const word of words) this.#count(word, 1)
  }

  best(): { left: string; right: string; count: number } | null {
    let best: string | null = null
    let most = 0
    for (const [pair, count] of this.#counts) {
      if (count > most || (count === most && best !== null && pair < best)) {
        best = pair
        most = count
      }
    }
    if (best === null) return null
    const [left, right] = best.split(SEPARATOR) as [string, string]
    return { left, right, count: most }
  }

  merge(left: string, right: string): void {
    for (const word of [...(this.#words.get(left + SEPARATOR + right) ?? [])]) {
      this.#count(word, -1)
      const merged: string[] = []
      for (let i = 0; i < word.tokens.length; i++) {
        const pair = word.tokens[i] === left && word.tokens[i + 1] === right
        merged.push(pair ? left + right : word.tokens[i]!)
        if (pair) i++
      }
      word.tokens = merged
      this.#count(word, 1)
    }
  }

  #count(word: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < word.tokens.length; i++) {
      const pair = word.tokens[i]! + SEPARATOR + word.tokens[i + 1]!
      const count = (this.#counts.get(pair) ?? 0) + sign * word.count
      if (count > 0) this.#counts.set(pair, count)
      else this.#counts.delete(pair)
      let holders = this.#words.get(pair)
      if (!holders) this.#words.set(pair, (holders = new Set()))
      if (sign > 0) holders.add(word)
      else holders.delete(word)
    }
  }
}

function tokenizerJson(
  vocabulary: readonly string[],
  merges: readonly [string, string][],
  specialTokens: readonly string[],
): TokenizerJson {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges,
    },
  }
}
