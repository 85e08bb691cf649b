/**
 * @module Trains a byte-level BPE (https://arxiv.org/abs/1508.07909) and writes it as an ordinary tokenizer.json.
 *
 * Start from the 256 bytes; again and again, the most frequent pair of neighbouring tokens inside a word becomes one
 * token. Of equally frequent pairs the one of older tokens wins, so the result follows from the texts alone; it equals
 * what the Hugging Face library's own trainer learns. Every digit is a token of its own: numbers then recur as the same
 * tokens wherever they stand.
 */
import { byteCharacters, WORD_SOURCE } from "./byte-level.ts"
import { type CountedWord, PairCounts } from "./pair-counts.ts"
import { splitAtTokens, tokenPattern } from "./special-split.ts"
import type { StageJson, TokenizerJson } from "./tokenizer-json.ts"

export type { TokenizerJson } from "./tokenizer-json.ts"

/** Settings of the training. */
export interface BpeOptions {
  /** Tokens in all: special ones, 256 bytes, and merges. Fewer come out if the texts run out of pairs. */
  readonly vocabSize: number
  /** Special tokens, which take the first ids in this order. Where they stand in the texts, they are cut out. */
  readonly specialTokens: readonly string[]
  /** A pair seen fewer times is not merged. @default {2} */
  readonly minFrequency?: number
  /** One token a digit; else digits merge as other characters do. @default {true} */
  readonly splitDigits?: boolean
}

/**
 * Trains on texts, which are read once. The same texts in any order give the same tokenizer.
 * @throws {RangeError} If the vocabulary can't hold the special tokens and the bytes, or special tokens repeat.
 */
export function trainBpe(texts: Iterable<string>, options: BpeOptions): TokenizerJson {
  const { vocabSize, specialTokens, minFrequency = 2, splitDigits = true } = options
  const characters = byteCharacters()
  const smallest = specialTokens.length + characters.length
  if (!Number.isInteger(vocabSize) || vocabSize < smallest) {
    throw new RangeError(`Expected a vocabulary of at least ${smallest} tokens but found ${vocabSize}`)
  }
  if (new Set([...specialTokens, ""]).size !== specialTokens.length + 1) {
    throw new RangeError("Expected special tokens that are neither empty nor repeated")
  }
  // Bytes are numbered in the order of their characters, as the Hugging Face trainer numbers them.
  const vocabulary = [...specialTokens, ...characters.toSorted()]
  const words = countWords(texts, specialTokens, splitDigits)
  const merges = learn(words, characters, vocabulary, vocabSize, minFrequency)
  return tokenizerJson(vocabulary, merges, specialTokens, splitDigits)
}

/** How often each word occurs. */
function countWords(
  texts: Iterable<string>,
  specialTokens: readonly string[],
  splitDigits: boolean,
): Map<string, number> {
  const special = tokenPattern(specialTokens)
  const run = splitDigits ? /\p{N}|\P{N}+/gu : /[\s\S]+/gu
  const word = new RegExp(WORD_SOURCE, "gu")
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const section of splitAtTokens(text, special)) {
      if (section.isToken) continue
      for (const part of section.text.match(run) ?? []) {
        for (const found of part.match(word) ?? []) counts.set(found, (counts.get(found) ?? 0) + 1)
      }
    }
  }
  return counts
}

/** Learns merges until `vocabulary` is full or no pair is frequent enough; new tokens are appended to it. */
function learn(
  counts: ReadonlyMap<string, number>,
  characters: readonly string[],
  vocabulary: string[],
  vocabSize: number,
  minFrequency: number,
): string[] {
  const idOf = new Map(vocabulary.map((token, id) => [token, id]))
  const idOfByte = characters.map((character) => idOf.get(character)!)
  const utf8 = new TextEncoder()
  const words: CountedWord[] = []
  for (const [text, count] of counts) {
    words.push({ ids: Array.from(utf8.encode(text), (byte) => idOfByte[byte]!), count })
  }
  const pairs = new PairCounts(words)
  const merges: string[] = []
  while (vocabulary.length < vocabSize) {
    const best = pairs.takeBest()
    if (best === null || best.count < minFrequency) break
    const [left, right] = [vocabulary[best.left]!, vocabulary[best.right]!]
    // Two merges may spell the same token ("a" + "bc", "ab" + "c"), which then has one id.
    const id = idOf.get(left + right) ?? vocabulary.push(left + right) - 1
    idOf.set(left + right, id)
    merges.push(`${left} ${right}`)
    pairs.merge(best, id)
  }
  return merges
}

function tokenizerJson(
  vocabulary: readonly string[],
  merges: readonly string[],
  specialTokens: readonly string[],
  splitDigits: boolean,
): TokenizerJson {
  const byteLevel: StageJson = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }
  const digits: StageJson = { type: "Digits", individual_digits: true }
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
    pre_tokenizer: splitDigits ? { type: "Sequence", pretokenizers: [digits, byteLevel] } : byteLevel,
    post_processor: null,
    decoder: byteLevel,
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
