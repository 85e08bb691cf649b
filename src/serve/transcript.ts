/**
 * @module One completion's tokens turned into text that may be shown: whole characters only, nothing that could still
 * become a stop text, and each token with the text that it belongs to.
 */
import { createStopMatcher } from "../text/stop.ts"
import { createStreamDecoder } from "../text/stream-decoder.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import type { OutputToken, TokenText } from "./generation.ts"
import type { Logprob } from "./sampling.ts"

/** What may be shown after a token. */
export interface TranscriptDelta {
  readonly text: string
  readonly tokens: readonly OutputToken[]
  /** A stop text has come: the completion is over, and `text` ends before it. */
  readonly stopped: boolean
}

/** A token that was picked, and how likely it was. */
export interface PickedToken {
  readonly id: number
  readonly logprob: number | null
  readonly top: readonly Logprob[]
}

/** Collects one completion. */
export interface Transcript {
  push(token: PickedToken): TranscriptDelta
  /** The rest, when the completion ends by an end token or its token limit. */
  flush(): TranscriptDelta
}

/** How a completion begins. */
export interface Beginning {
  /** Left out of the text where the completion begins with it; its token keeps it. @default {""} */
  readonly lead?: string
  /** Ids that the completion goes on with as one text. @default {[]} */
  readonly before?: readonly number[]
}

/** A transcript that ends at the first of `stop`. */
export function createTranscript(
  tokenizer: Tokenizer,
  stop: readonly string[],
  { lead = "", before = [] }: Beginning = {},
): Transcript {
  const withoutLead = leadFilter(lead)
  const decoder = createStreamDecoder(tokenizer, before)
  const matcher = createStopMatcher(stop)
  let waiting: OutputToken[] = []
  let decoded = 0 // code points decoded
  let shown = 0 // code points shown, at most `decoded`
  const release = (text: string, all: boolean): readonly OutputToken[] => {
    shown += codePoints(text)
    const ready = all ? waiting : waiting.filter((token) => token.offset < shown)
    waiting = all ? [] : waiting.filter((token) => token.offset >= shown)
    return ready
  }
  return {
    push(token) {
      waiting.push(outputToken(tokenizer, token, decoded))
      const text = withoutLead(decoder.push(token.id), false)
      decoded += codePoints(text)
      const { emit, stopped } = matcher.push(text)
      return { text: emit, tokens: release(emit, false), stopped }
    },
    flush() {
      const text = withoutLead(decoder.flush(), true)
      const { emit, stopped } = matcher.push(text)
      const rest = stopped ? emit : emit + matcher.flush()
      return { text: rest, tokens: release(rest, !stopped), stopped }
    },
  }
}

/** Holds a text's beginning back until it is clear whether it is `lead`, which it then leaves out. */
function leadFilter(lead: string): (text: string, last: boolean) => string {
  let held = ""
  let open = lead !== ""
  return (text, last) => {
    if (!open) return text
    held += text
    if (held.length < lead.length && lead.startsWith(held) && !last) return ""
    open = false
    return held.startsWith(lead) ? held.slice(lead.length) : held
  }
}

/** A token's text and bytes; bytes that are no whole character show as U+FFFD, as OpenAI shows them. */
export function tokenText(tokenizer: Tokenizer, id: number): TokenText {
  const bytes = tokenizer.tokenBytes(id)
  return { id, text: new TextDecoder().decode(bytes), bytes }
}

/** A token as it is told to the outside. @param offset code points before it */
export function outputToken(tokenizer: Tokenizer, token: PickedToken, offset: number): OutputToken {
  return {
    ...tokenText(tokenizer, token.id),
    logprob: token.logprob,
    top: token.top.map(({ id, logprob }) => ({ ...tokenText(tokenizer, id), logprob })),
    offset,
  }
}

/** Code points of a text: what Python's `len` counts, and so what OpenAI's offsets count. */
export function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
