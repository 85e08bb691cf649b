/**
 * @module A grammar over bytes: expressions, each made once, so that equal ones are the same object.
 */

/** What a text of bytes may look like. No expression but {@link Repeat} and {@link Choice} of it matches nothing. */
export type Expr = Bytes | Literal | Sequence | Choice | Repeat | Rule

/** One byte of a set. */
export interface Bytes {
  readonly kind: "bytes"
  readonly id: number
  /** [256], 1 for each byte of the set */
  readonly set: Uint8Array
}

/** These bytes from `at` on. */
export interface Literal {
  readonly kind: "literal"
  readonly id: number
  readonly bytes: Uint8Array
  readonly at: number
  /** What is left after one byte; made when it is first needed. */
  rest: Literal | null
}

/** One after the other. */
export interface Sequence {
  readonly kind: "sequence"
  readonly id: number
  readonly parts: readonly Expr[]
}

/** Any of them. */
export interface Choice {
  readonly kind: "choice"
  readonly id: number
  readonly options: readonly Expr[]
}

/** From `min` to `max` times `part`, which matches at least a byte. */
export interface Repeat {
  readonly kind: "repeat"
  readonly id: number
  readonly part: Expr
  readonly min: number
  readonly max: number
}

/** An expression that may hold itself; `body` is set once. */
export interface Rule {
  readonly kind: "rule"
  readonly id: number
  readonly name: string
  body: Expr | null
}

/** Makes expressions. */
export interface Grammar {
  /** One byte, from any of the inclusive ranges. */
  range(...ranges: readonly (readonly [low: number, high: number])[]): Bytes
  /** One byte of these ASCII characters. */
  oneOf(characters: string): Bytes
  /** A text in UTF-8, not empty. */
  literal(text: string): Literal
  sequence(...parts: readonly Expr[]): Expr
  choice(options: readonly Expr[]): Expr
  repeat(part: Expr, min: number, max: number): Repeat
  optional(part: Expr): Repeat
  rule(name: string): Rule
  /** What is left of a literal after its first byte; `null` where that was all. */
  rest(literal: Literal): Literal | null
}

/** A fresh grammar. */
export function createGrammar(): Grammar {
  const known = new Map<string, Expr>()
  let count = 0
  const once = <E extends Expr>(key: string, make: (id: number) => E): E => {
    const found = known.get(key)
    if (found !== undefined) return found as E
    const made = make(count++)
    known.set(key, made)
    return made
  }
  const bytes = (set: Uint8Array): Bytes => once(`b${set.join("")}`, (id) => ({ kind: "bytes", id, set }))
  const ids = (parts: readonly Expr[]): string => parts.map(({ id }) => id).join(",")
  const grammar: Grammar = {
    range(...ranges) {
      const set = new Uint8Array(256)
      for (const [low, high] of ranges) set.fill(1, low, high + 1)
      return bytes(set)
    },
    oneOf(characters) {
      const set = new Uint8Array(256)
      for (const character of characters) set[character.charCodeAt(0)] = 1
      return bytes(set)
    },
    literal: (text) =>
      once(`l${text}`, (id) => ({ kind: "literal", id, bytes: new TextEncoder().encode(text), at: 0, rest: null })),
    sequence: (...parts) =>
      parts.length === 1 ? parts[0]! : once(`s${ids(parts)}`, (id) => ({ kind: "sequence", id, parts })),
    choice: (options) =>
      options.length === 1 ? options[0]! : once(`c${ids(options)}`, (id) => ({ kind: "choice", id, options })),
    repeat: (part, min, max) => once(`r${part.id},${min},${max}`, (id) => ({ kind: "repeat", id, part, min, max })),
    optional: (part) => grammar.repeat(part, 0, 1),
    rule: (name) => ({ kind: "rule", id: count++, name, body: null }),
    rest(literal) {
      if (literal.at + 1 === literal.bytes.length) return null
      literal.rest ??= { ...literal, id: count++, at: literal.at + 1, rest: null }
      return literal.rest
    },
  }
  return grammar
}
