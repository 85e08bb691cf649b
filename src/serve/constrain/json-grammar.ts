/**
 * @module JSON as a grammar over bytes: compact, but for one space that may follow `:` and `,`. A number has at most 15
 * digits before the point, 15 behind it and 2 in its exponent, so that no model counts for ever and every number is
 * finite in a double; what lies within a value of any shape is at most 32 levels deep.
 *
 * Sources: RFC 8259; well-formed UTF-8, The Unicode Standard, table 3-7.
 */
import type { Expr, Grammar } from "./grammar.ts"

/** Levels of lists and objects within a value of any shape. */
export const ANY_DEPTH = 32

/** Digits on one side of the decimal point: integers stay within a double's 53 bits. */
const DIGITS = 15

/** JSON's parts. */
export interface JsonGrammar {
  readonly integer: Expr
  readonly number: Expr
  readonly boolean: Expr
  readonly null: Expr
  readonly anyString: Expr
  readonly any: Expr
  readonly anyObject: Expr
  readonly anyArray: Expr
  /** `,` and the space that may follow. */
  readonly comma: Expr
  /** `:` and the space that may follow. */
  readonly colon: Expr
  /** A string of `min` to `max` code points. */
  string(min: number, max: number): Expr
  array(item: Expr, min: number, max: number): Expr
  /** An object of any keys. */
  map(value: Expr): Expr
}

/** JSON's parts in `grammar`. */
export function jsonGrammar(grammar: Grammar): JsonGrammar {
  const { sequence, choice, repeat, optional, literal, oneOf, range } = grammar
  const separator = (text: string): Expr => sequence(literal(text), optional(literal(" ")))
  const [comma, colon, quote] = [separator(","), separator(":"), literal('"')]

  const tail = range([0x80, 0xbf])
  const hex = oneOf("0123456789abcdefABCDEF")
  const character = choice([
    range([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7f]),
    sequence(range([0xc2, 0xdf]), tail),
    sequence(range([0xe0, 0xe0]), range([0xa0, 0xbf]), tail),
    sequence(range([0xe1, 0xec], [0xee, 0xef]), tail, tail),
    sequence(range([0xed, 0xed]), range([0x80, 0x9f]), tail),
    sequence(range([0xf0, 0xf0]), range([0x90, 0xbf]), tail, tail),
    sequence(range([0xf1, 0xf3]), tail, tail, tail),
    sequence(range([0xf4, 0xf4]), range([0x80, 0x8f]), tail, tail),
    sequence(literal("\\"), oneOf('"\\/bfnrt')),
    // Halves of a pair come as a pair: one code point, and no text that cannot be written as UTF-8.
    sequence(literal("\\u"), oneOf("0123456789abcefABCEF"), hex, hex, hex),
    sequence(literal("\\u"), oneOf("dD"), oneOf("01234567"), hex, hex),
    sequence(
      sequence(literal("\\u"), oneOf("dD"), oneOf("89abAB"), hex, hex),
      sequence(literal("\\u"), oneOf("dD"), oneOf("cdefCDEF"), hex, hex),
    ),
  ])
  const string = (min: number, max: number): Expr => sequence(quote, repeat(character, min, max), quote)

  const digit = oneOf("0123456789")
  const integer = sequence(
    optional(literal("-")),
    choice([literal("0"), sequence(oneOf("123456789"), repeat(digit, 0, DIGITS - 1))]),
  )
  const number = sequence(
    integer,
    optional(sequence(literal("."), repeat(digit, 1, DIGITS))),
    optional(sequence(oneOf("eE"), optional(oneOf("+-")), repeat(digit, 1, 2))),
  )
  const boolean = choice([literal("true"), literal("false")])
  const nothing = literal("null")

  const listOf = (open: string, item: Expr, min: number, max: number, close: string): Expr => {
    if (max === 0) return literal(open + close)
    const filled = sequence(item, repeat(sequence(comma, item), Math.max(0, min - 1), max - 1), literal(close))
    return sequence(literal(open), min > 0 ? filled : choice([literal(close), filled]))
  }
  const array = (item: Expr, min: number, max: number): Expr => listOf("[", item, min, max, "]")
  const anyString = string(0, Infinity)
  const map = (value: Expr): Expr => listOf("{", sequence(anyString, colon, value), 0, Infinity, "}")

  const scalars = [anyString, number, boolean, nothing]
  let any = choice(scalars)
  for (let depth = 1; depth < ANY_DEPTH; depth++) any = choice([...scalars, array(any, 0, Infinity), map(any)])
  const [anyArray, anyObject] = [array(any, 0, Infinity), map(any)]
  any = choice([...scalars, anyArray, anyObject])
  return {
    integer,
    number,
    boolean,
    null: nothing,
    anyString,
    any,
    anyObject,
    anyArray,
    comma,
    colon,
    string,
    array,
    map,
  }
}
