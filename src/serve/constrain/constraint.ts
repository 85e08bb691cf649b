/**
 * @module What the tokens of one completion are held to, and the formats' automatons, compiled once.
 */
import type { Tokenizer } from "../../text/tokenizer-contract.ts"
import { type Automaton, createAutomaton } from "./automaton.ts"
import { createGrammar } from "./grammar.ts"
import { schemaGrammar } from "./schema-grammar.ts"
import { createVocabulary, type Vocabulary } from "./vocabulary.ts"

/** What an answer must be: any JSON object, or JSON that fits a schema. Plain data. */
export type AnswerFormat = { readonly type: "json_object" } | { readonly type: "json_schema"; readonly schema: unknown }

/** Holds one completion to a format. */
export interface TokenConstraint {
  /** The tokens that may come next, a bit each [ceil(V / 32)]; shared: not to be written to. */
  mask(): Uint32Array
  /** Goes on by a token. @throws {Error} If the mask excludes it. */
  accept(id: number): void
  /** Whether the text is a whole value, so that an end token may come. */
  readonly complete: boolean
  /** Whether it is, and nothing can follow. */
  readonly done: boolean
}

/** Makes constraints for one tokenizer's tokens. */
export interface ConstraintFactory {
  /**
   * A maker of constraints of one format.
   * @param lead what the text may also begin with
   * @throws {EspalierError} `invalid_request` or `unsupported` with the path in the schema
   */
  prepare(format: AnswerFormat, lead: string): () => TokenConstraint
}

/** Formats that stay compiled. */
const MOST_FORMATS = 32

/** A factory that reads the vocabulary when it is first asked. */
export function createConstraints(tokenizer: Tokenizer): ConstraintFactory {
  let vocabulary: Vocabulary | null = null
  const compiled = new Map<string, Automaton>()
  return {
    prepare(format, lead) {
      const key = JSON.stringify([format, lead])
      const automaton = compiled.get(key) ?? compile(format, lead)
      // The one that was asked for last goes last.
      compiled.delete(key)
      compiled.set(key, automaton)
      if (compiled.size > MOST_FORMATS) compiled.delete(compiled.keys().next().value!)
      vocabulary ??= createVocabulary(tokenizer)
      const words = vocabulary
      return () => constrain(automaton, words)
    },
  }
}

function compile(format: AnswerFormat, lead: string): Automaton {
  const grammar = createGrammar()
  const value = schemaGrammar(grammar, format.type === "json_object" ? { type: "object" } : format.schema)
  const root = lead === "" ? value : grammar.sequence(grammar.optional(grammar.literal(lead)), value)
  return createAutomaton(grammar, root)
}

function constrain(automaton: Automaton, vocabulary: Vocabulary): TokenConstraint {
  let state = automaton.start()
  return {
    mask: () => vocabulary.mask(automaton, state),
    accept(id) {
      const bytes = vocabulary.bytesOf(id)
      let next = bytes.length === 0 ? null : state
      for (const byte of bytes) next &&= automaton.step(next, byte)
      if (next === null) throw new Error(`The token ${id} does not fit the answer's format`)
      state = next
    },
    get complete() {
      return state.complete
    },
    get done() {
      return state.complete && state.stacks.length === 1
    },
  }
}

/**
 * The logits with those of all other tokens at -Infinity; a copy.
 * @param logits [V]
 * @param endIds tokens that may come too where the value is whole
 * @returns `null` if no token is left: the vocabulary cannot write what has to come
 */
export function constrained(
  logits: Float32Array,
  constraint: TokenConstraint,
  endIds: readonly number[],
): Float32Array | null {
  const mask = constraint.mask()
  const out = new Float32Array(logits.length).fill(Number.NEGATIVE_INFINITY)
  let left = 0
  for (let word = 0; word < mask.length; word++) {
    let bits = mask[word]!
    while (bits !== 0) {
      const id = word * 32 + 31 - Math.clz32(bits & -bits)
      bits &= bits - 1
      if (id >= logits.length) break
      out[id] = logits[id]!
      left++
    }
  }
  if (constraint.complete) {
    for (const id of endIds) {
      out[id] = logits[id]!
      left++
    }
  }
  return left === 0 ? null : out
}
