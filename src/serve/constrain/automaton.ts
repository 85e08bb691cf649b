/**
 * @module A grammar as a pushdown automaton that reads bytes. A stack holds what is still to come; where the grammar
 * leaves a choice there are several at once. Stacks and sets of them are made once, so that a state that comes again is
 * the same object, with all that was found out about it.
 */
import type { Expr, Grammar } from "./grammar.ts"

/** What is still to come: `expr`, then `below`. */
interface Stack {
  readonly id: number
  /** Bytes or a literal; `null` at the end. */
  readonly expr: Expr | null
  readonly below: Stack | null
  /** The stacks on top of this one, by expression. */
  readonly above: Map<number, Stack>
}

/** A place in the text. */
export interface State {
  readonly stacks: readonly Stack[]
  /** Whether the text may end here. */
  readonly complete: boolean
  /** By byte; what is not there has not been asked for, and `null` leads nowhere. */
  readonly next: (State | null | undefined)[]
  /** Tokens that may come here, as a set of bits; made by the vocabulary. */
  mask: Uint32Array | null
}

/** Reads texts of one grammar. */
export interface Automaton {
  /** Where every text begins. */
  start(): State
  /** After one more byte; `null` where it may not stand. */
  step(state: State, byte: number): State | null
}

/** Ways to read a text that are followed at once. Those beyond are left out: what is written still fits the grammar. */
const MOST_STACKS = 1024

/** States that are remembered; beyond that all are forgotten and found anew. */
const MOST_STATES = 4096

/** An automaton for texts that `root` matches. */
export function createAutomaton(grammar: Grammar, root: Expr): Automaton {
  let counter = 0
  let states = new Map<string, State>()
  let first: State | null = null
  let bottom = makeStack(null, null)

  function makeStack(expr: Expr | null, below: Stack | null): Stack {
    return { id: counter++, expr, below, above: new Map() }
  }
  const push = (expr: Expr, below: Stack): Stack => {
    let stack = below.above.get(expr.id)
    if (stack === undefined) {
      stack = makeStack(expr, below)
      below.above.set(expr.id, stack)
    }
    return stack
  }

  /** The stacks whose tops are bytes that these stacks lead to without one. */
  const settle = (from: readonly Stack[]): Stack[] => {
    const seen = new Set<Stack>()
    const settled: Stack[] = []
    const todo = [...from].reverse()
    while (todo.length > 0 && settled.length < MOST_STACKS) {
      const stack = todo.pop()!
      if (seen.has(stack)) continue
      seen.add(stack)
      const { expr, below } = stack
      if (expr === null || below === null || expr.kind === "bytes" || expr.kind === "literal") settled.push(stack)
      else if (expr.kind === "sequence") todo.push(expr.parts.reduceRight((rest, part) => push(part, rest), below))
      else if (expr.kind === "choice") for (const option of expr.options) todo.push(push(option, below))
      else if (expr.kind === "rule") todo.push(push(expr.body!, below))
      else {
        if (expr.min === 0) todo.push(below)
        if (expr.max > 0) {
          // Without bounds the rest is the same expression: a state that comes again.
          const rest = grammar.repeat(expr.part, Math.max(0, expr.min - 1), expr.max - 1)
          todo.push(push(expr.part, push(rest, below)))
        }
      }
    }
    return settled
  }

  const stateOf = (from: readonly Stack[]): State => {
    const stacks = settle(from).sort((left, right) => left.id - right.id)
    const key = stacks.map(({ id }) => id).join()
    let state = states.get(key)
    if (state === undefined) {
      const complete = stacks.some(({ expr }) => expr === null)
      state = { stacks, complete, next: new Array(256), mask: null }
      states.set(key, state)
    }
    return state
  }

  const take = (stack: Stack, byte: number): Stack | null => {
    const { expr, below } = stack
    if (expr?.kind === "bytes") return expr.set[byte] === 1 ? below : null
    if (expr?.kind !== "literal" || expr.bytes[expr.at] !== byte) return null
    const rest = grammar.rest(expr)
    return rest === null ? below : push(rest, below!)
  }

  return {
    start() {
      if (states.size > MOST_STATES) {
        states = new Map()
        bottom = makeStack(null, null)
        first = null
      }
      first ??= stateOf([push(root, bottom)])
      return first
    },
    step(state, byte) {
      const known = state.next[byte]
      if (known !== undefined) return known
      const after = state.stacks.flatMap((stack) => take(stack, byte) ?? [])
      const next = after.length === 0 ? null : stateOf(after)
      state.next[byte] = next
      return next
    },
  }
}
