/**
 * @module The part of Hugging Face's tokenizer.json that this project writes.
 * Format: https://huggingface.co/docs/tokenizers/api/tokenizer
 */

/** A token that is found in the text before anything else. */
export interface AddedTokenJson {
  readonly id: number
  readonly content: string
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

/** One stage of the pipeline: normalizer, pre-tokenizer, post-processor or decoder. */
export interface StageJson {
  readonly type: string
  readonly [setting: string]: unknown
}

/** A byte-level BPE as tokenizer.json. */
export interface TokenizerJson {
  readonly version: "1.0"
  readonly truncation: null
  readonly padding: null
  readonly added_tokens: readonly AddedTokenJson[]
  readonly normalizer: null
  readonly pre_tokenizer: StageJson
  readonly post_processor: StageJson | null
  readonly decoder: StageJson
  readonly model: {
    readonly type: "BPE"
    readonly dropout: null
    readonly unk_token: null
    readonly continuing_subword_prefix: null
    readonly end_of_word_suffix: null
    readonly fuse_unk: false
    readonly byte_fallback: false
    readonly ignore_merges: false
    /** Token to id: special tokens, then the 256 bytes, then one for each merge. */
    readonly vocab: Readonly<Record<string, number>>
    /** Pairs in the order of learning, as "left right". */
    readonly merges: readonly string[]
  }
}
