/**
 * @module One generation on its way through the decoder: prompt in chunks, then a token a step, then everything it
 * holds is given back, whatever the end is.
 */
import { EspalierError } from "../core/errors.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { constrained, type TokenConstraint } from "./constrain/constraint.ts"
import type { Decoder, Sequence, StepRow } from "./decoder.ts"
import type { EventQueue } from "./event-queue.ts"
import type { FinishReason, GenerationEvent, GenerationRequest, OutputToken, Usage } from "./generation.ts"
import { createSampler, logprobsOf, type Sampler } from "./sampling.ts"
import { codePoints, createTranscript, outputToken, type PickedToken, type Transcript } from "./transcript.ts"

/** What a task works with. */
export interface TaskTools {
  readonly decoder: Decoder
  readonly tokenizer: Tokenizer
  readonly defaultMaxTokens: number
  readonly events: EventQueue<GenerationEvent>
}

/** A prompt whose every logit is wanted is read in smaller chunks: each gives back [chunk, vocab]. */
const scoredChunk = 32

/**
 * One generation. Its scheduler lets it read while it is {@link GenerationTask.reading}, and then hands it the logits of
 * the token that it wants appended, until it is {@link GenerationTask.over}.
 */
export class GenerationTask {
  /** Called once, when everything is given back. */
  onClose: () => void = () => {}
  outcome: "running" | "finished" | "aborted" | "failed" = "running"
  /** Milliseconds that it waited for its place. */
  waitedMs = 0
  readonly #request: GenerationRequest
  readonly #tools: TaskTools
  readonly #sampler: Sampler
  readonly #transcript: Transcript
  /** Tokens to generate at most. */
  readonly #limit: number
  #sequence: Sequence | null = null
  #consumed = 0 // prompt tokens in the sequence
  #cached = 0 // of those, computed before
  #generated = 0
  #pending: number | null = null // picked but not appended
  #abortError: EspalierError | null = null
  #promptTokens: OutputToken[] = []
  #promptOffset = 0
  #closed = false

  constructor(request: GenerationRequest, tools: TaskTools) {
    this.#request = request
    this.#tools = tools
    this.#sampler = createSampler(request.sampling, request.promptIds)
    this.#transcript = createTranscript(tools.tokenizer, request.stop, {
      lead: request.lead ?? "",
      before: request.continues === true ? request.promptIds : [],
    })
    const taken = (request.adapter?.bound.virtualTokens ?? 0) + request.promptIds.length
    this.#limit = request.maxTokens ?? Math.min(tools.defaultMaxTokens, tools.decoder.info.contextLength - taken)
  }

  /** What was computed so far. */
  get usage(): Usage {
    return { promptTokens: this.#consumed, cachedTokens: this.#cached, completionTokens: this.#generated }
  }

  /** Ends the generation at its next turn, with an error for whoever still reads. */
  abort(error = new EspalierError("aborted", "The generation was aborted")): void {
    this.#abortError ??= error
  }

  /** Whether it has ended, for whatever reason, and holds nothing any more. */
  get over(): boolean {
    return this.#closed
  }

  /** Whether there is more of the prompt to read. */
  get reading(): boolean {
    return this.#consumed < this.#request.promptIds.length
  }

  /** Ends it now if it was aborted. */
  settle(): void {
    if (this.#abortError !== null) this.close()
  }

  /**
   * Reads on in the prompt; at its end, picks the first token. No other call of the decoder may be under way.
   * @param budget tokens to read at most
   * @returns tokens read
   */
  async read(budget: number): Promise<number> {
    let before = this.#consumed
    try {
      if (this.#sequence === null) {
        this.#sequence = await this.#open()
        if (!this.#isScored) this.#cached = this.#sequence.reuse(this.#request.promptIds.slice(0, -1), this.#salt)
        this.#consumed = this.#cached
        before = this.#cached
      }
      const logits = await this.#prefill(this.#sequence, budget)
      if (logits !== null) this.#pick(logits)
    } catch (error) {
      this.fail(error)
    }
    return this.#consumed - before
  }

  /** What is to be appended next. The prompt must have been read. */
  get row(): StepRow {
    return { sequence: this.#sequence!, token: this.#pending! }
  }

  /** Picks the next token. @param logits those after {@link row}'s token [V] */
  take(logits: Float32Array): void {
    try {
      this.#pick(logits)
    } catch (error) {
      this.fail(error)
    }
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    if (this.#closed) return
    this.outcome = "failed"
    this.#tools.events.fail(
      error instanceof EspalierError
        ? error
        : new EspalierError("internal", "The model failed while generating", { cause: error }),
    )
    this.close()
  }

  /** Gives the sequence and the adapter's version back. Calling it twice is harmless. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#sequence?.close()
    this.#request.adapter?.release()
    if (this.outcome === "running") {
      this.outcome = "aborted"
      this.#tools.events.fail(this.#abortError)
    }
    this.onClose()
  }

  /** Whether the logits after every token of the prompt are wanted. */
  get #isScored(): boolean {
    return this.#request.echo === true && this.#request.logprobs !== null
  }

  get #salt(): string {
    return this.#request.cacheSalt ?? ""
  }

  #open(): Promise<Sequence> {
    const { adapter, promptIds } = this.#request
    const capacity = (adapter?.bound.virtualTokens ?? 0) + promptIds.length + this.#limit
    return this.#tools.decoder.open(adapter?.bound ?? null, capacity)
  }

  /** Appends the prompt's next chunk. @returns the logits after the last one [V], or `null` before that */
  async #prefill(sequence: Sequence, budget: number): Promise<Float32Array | null> {
    const { promptIds, echo, logprobs } = this.#request
    const scored = this.#isScored
    const from = this.#consumed
    const chunk = promptIds.slice(from, from + (scored ? Math.min(scoredChunk, budget) : budget))
    const logits = await sequence.append(chunk, scored)
    this.#consumed += chunk.length
    const vocab = this.#tools.decoder.info.vocabSize
    if (scored) {
      if (from === 0) this.#echoToken({ id: promptIds[0]!, logprob: null, top: [] })
      for (let i = 0; i < chunk.length && from + i + 1 < promptIds.length; i++) {
        const row = logits.subarray(i * vocab, (i + 1) * vocab)
        const id = promptIds[from + i + 1]!
        this.#echoToken({ id, ...logprobsOf(row, id, logprobs!) })
      }
    }
    if (this.#consumed < promptIds.length) return null
    if (echo) {
      if (!scored) for (const id of promptIds) this.#echoToken({ id, logprob: null, top: [] })
      const text = this.#tools.tokenizer.decode(promptIds, { skipSpecial: false })
      this.#tools.events.push({ type: "prompt", text, tokens: this.#promptTokens })
    }
    return scored ? logits.subarray((chunk.length - 1) * vocab) : logits
  }

  #echoToken(token: PickedToken): void {
    const output = outputToken(this.#tools.tokenizer, token, this.#promptOffset)
    // A text's first word may lack the blank that its token has.
    const isFirst = this.#promptTokens.length === 0
    const text = isFirst ? this.#tools.tokenizer.decode([token.id], { skipSpecial: false }) : output.text
    this.#promptOffset += codePoints(text)
    this.#promptTokens.push(output)
  }

  /** Picks the next token and tells of it. */
  #pick(logits: Float32Array): void {
    const { eosIds, logprobs, constraint } = this.#request
    if (this.#limit === 0) {
      this.#finish("length")
      return
    }
    const id = this.#sampler.next(constraint ? this.#fitting(logits, constraint) : logits)
    this.#generated++
    this.#pending = id
    // In the midst of a value even an end token that is text is nothing but text.
    if (eosIds.includes(id) && constraint?.complete !== false) {
      this.#finish("stop")
      return
    }
    constraint?.accept(id)
    const scores = logprobs === null ? { logprob: null, top: [] } : logprobsOf(logits, id, logprobs)
    const { text, tokens, stopped } = this.#transcript.push({ id, ...scores })
    if (text !== "" || tokens.length > 0) this.#tools.events.push({ type: "text-delta", text, tokens })
    if (stopped) this.#finish("stop", false)
    else if (constraint?.done) this.#finish("stop")
    else if (this.#generated >= this.#limit) this.#finish("length")
  }

  /** The logits of what keeps to the format. */
  #fitting(logits: Float32Array, constraint: TokenConstraint): Float32Array {
    const fitting = constrained(logits, constraint, this.#request.eosIds)
    if (fitting !== null) return fitting
    throw new EspalierError("unsupported", "The base's vocabulary has no token for what the answer's format asks for", {
      param: "response_format",
    })
  }

  #finish(reason: FinishReason, flush = true): void {
    if (flush) {
      const { text, tokens, stopped } = this.#transcript.flush()
      if (text !== "" || tokens.length > 0) this.#tools.events.push({ type: "text-delta", text, tokens })
      if (stopped) reason = "stop"
    }
    this.outcome = "finished"
    this.#tools.events.push({ type: "finish", reason, usage: this.usage, waitedMs: this.waitedMs })
    this.#tools.events.end()
    this.close()
  }
}
