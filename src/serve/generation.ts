/**
 * @module What the scheduler is asked for and what it tells: requests in token ids, events in text.
 */
import type { TokenConstraint } from "./constrain/constraint.ts"
import type { BoundAdapter } from "./decoder.ts"
import type { SamplingOptions } from "./sampling.ts"

/** One adapter version, held: it stays usable until `release`, whatever happens to its name meanwhile. */
export interface AdapterHold {
  readonly bound: BoundAdapter
  /** Gives the version back. Calling it twice is harmless. */
  release(): void
}

/** One completion to compute. */
export interface GenerationRequest {
  /** At least one id. */
  readonly promptIds: readonly number[]
  /** Released by the scheduler at the end, whatever the end is. */
  readonly adapter: AdapterHold | null
  readonly sampling: SamplingOptions
  /** The most tokens to generate; `null` for the scheduler's default, or what the context leaves of it. */
  readonly maxTokens: number | null
  /** What an answer may begin with and is not shown: see {@link answerLead}. @default {""} */
  readonly lead?: string
  /** The completion goes on with the prompt's text, as none of a chat does. @default {false} */
  readonly continues?: boolean
  /** Texts that end the completion and are left out of it. */
  readonly stop: readonly string[]
  /** Tokens that end the completion. */
  readonly eosIds: readonly number[]
  /** How many likeliest tokens to name beside each token; `null` for no logprobs at all. */
  readonly logprobs: number | null
  /** Requests of another salt share no computed prompts with it: see `Sequence.reuse`. @default {""} */
  readonly cacheSalt?: string
  /** Begin with a `prompt` event. @default {false} */
  readonly echo?: boolean
  /** What the completion is held to: this one's alone. */
  readonly constraint?: TokenConstraint | null
  /** Ends the request within two steps. */
  readonly signal?: AbortSignal
}

/** A token with its text and bytes. */
export interface TokenText {
  readonly id: number
  readonly text: string
  readonly bytes: Uint8Array
}

/** A token of the output, with logprobs where they were asked for. */
export interface OutputToken extends TokenText {
  /** Natural log; `null` for the first token of a prompt, and where none was asked for. */
  readonly logprob: number | null
  readonly top: readonly (TokenText & { readonly logprob: number })[]
  /** Code points of the text before this token: of the prompt for prompt tokens, of the completion for the others. */
  readonly offset: number
}

/** Tokens that were computed. Virtual tokens are not counted. */
export interface Usage {
  readonly promptTokens: number
  /** Those of the prompt that had been computed for an earlier request. */
  readonly cachedTokens: number
  /** The token that ended the completion included. */
  readonly completionTokens: number
}

/** Why a completion ended: an end token or stop text, or the token limit. */
export type FinishReason = "stop" | "length"

/** What a generation tells, in order: `prompt` with echo, any number of `text-delta`, one `finish`. */
export type GenerationEvent =
  | { readonly type: "prompt"; readonly text: string; readonly tokens: readonly OutputToken[] }
  | { readonly type: "text-delta"; readonly text: string; readonly tokens: readonly OutputToken[] }
  | {
      readonly type: "finish"
      readonly reason: FinishReason
      readonly usage: Usage
      /** Milliseconds that it waited for a place before anything was computed. */
      readonly waitedMs: number
    }
