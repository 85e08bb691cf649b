/**
 * @module The contract between the scheduler and the model: token ids in, logits out. A decoder knows nothing of
 * requests, text or sampling; the scheduler knows nothing of graphs.
 */
import type { LoadedAdapter } from "../forms/form.ts"
import type { Breathe } from "./breathe.ts"
import type { LaidAdapter } from "./laid-adapter.ts"

/** What the scheduler needs to know of the base. */
export interface DecoderInfo {
  readonly vocabSize: number
  /** Positions the base can hold: prompt, virtual tokens and completion together. */
  readonly contextLength: number
  /** Features of a hidden state. */
  readonly hiddenSize: number
}

/** A loaded adapter, bound to a decoder's base and ready to be fed. */
export interface BoundAdapter {
  readonly hash: string
  /** Positions that it takes of the context (virtual tokens). */
  readonly virtualTokens: number
  /** Gives back what it holds. Sequences that use it must be closed before. */
  dispose(): Promise<void>
}

/** One sequence with its KV cache. */
export interface Sequence {
  /** Positions filled so far, virtual tokens included. */
  readonly length: number
  /**
   * Appends tokens and computes the logits that follow them.
   * @param tokens at least one id
   * @param all return the logits after every one of `tokens`, not only after the last
   * @returns f32 logits [1, vocab], or [tokens.length, vocab] with `all`; valid until the next call
   * @throws {RangeError} If the context would overflow.
   */
  append(tokens: readonly number[], all?: boolean): Promise<Float32Array>
  /**
   * Appends tokens and computes the hidden states that they end in, after the last norm.
   * @param tokens at least one id
   * @returns f32 [tokens.length, hidden]; valid until the next call
   * @throws {RangeError} If the context would overflow.
   */
  states(tokens: readonly number[]): Promise<Float32Array>
  /**
   * Fills an empty sequence with what was computed before of its first tokens; what it computes itself is kept for
   * others at its end. Without this call nothing is taken and nothing kept.
   * @param tokens those that are to come; all of them may be found, so leave out the one whose logits are wanted
   * @param salt sequences of another salt share nothing with it
   * @returns how many of them it has now
   */
  reuse(tokens: readonly number[], salt: string): number
  /** Gives back the KV cache. Calling it twice is harmless. */
  close(): void
}

/** A sequence, and the token to append to it. */
export interface StepRow {
  readonly sequence: Sequence
  readonly token: number
}

/** One frozen base that decodes sequences, each with its own adapter or none. Calls must not overlap. */
export interface Decoder {
  readonly info: DecoderInfo
  /**
   * Does what of binding an adapter needs no engine, and lets others go first between its parts. Unlike the other calls it may
   * overlap with them.
   * @throws {EspalierError} `adapter_mismatch`
   */
  layOut?(adapter: LoadedAdapter, breathe?: Breathe): Promise<LaidAdapter>
  /** Prepares an adapter, which it first checks and lays out where nobody has. @throws {EspalierError} `adapter_mismatch` */
  bind(adapter: LoadedAdapter | LaidAdapter): Promise<BoundAdapter>
  /**
   * Binds at once what was laid out, where that computes nothing. Unlike the other calls it may overlap with them.
   * @returns null where {@link Decoder.bind} has something to compute: virtual tokens, or a session that is not there yet
   */
  bindNow?(adapter: LaidAdapter): BoundAdapter | null
  /** Opens an empty sequence. @param capacity the most positions it will hold, at most `contextLength` */
  open(adapter: BoundAdapter | null, capacity: number): Promise<Sequence>
  /**
   * Appends a token to each of several sequences, whatever their adapters, in one run of the base.
   * @param rows at least one; a sequence comes once
   * @returns f32 logits [vocab] for each row; valid until the next call
   * @throws {RangeError} If a sequence would overflow; then none has changed.
   */
  step(rows: readonly StepRow[]): Promise<readonly Float32Array[]>
  /** Gives back the memory of what it can make anew, as it does when it is next called. Sequences and adapters stay. */
  rest?(): Promise<void>
  dispose(): Promise<void>
}
