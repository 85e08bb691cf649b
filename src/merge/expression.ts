/**
 * @module Merges as a model's name: `card*0.7+json*0.3`, `card+json`, `0.5*card`. Names of adapters hold neither `*` nor `+`,
 * so nothing else can be meant.
 */
import { EspalierError } from "../core/errors.ts"

/** An adapter of an expression. */
export interface WeightedName {
  readonly name: string
  readonly weight: number
}

const SIGNS = /[*+]/

/** Adapters of one expression at most. */
const MAX_TERMS = 16

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?$/i

/** Whether a text is an expression and no adapter's name. */
export const isExpression = (text: string): boolean => SIGNS.test(text)

/** What stands between the signs of an expression, names and numbers; of a name the name. Nothing is checked. */
export const expressionParts = (text: string): string[] => text.split(SIGNS).map((part) => part.trim())

/**
 * The adapters and weights of an expression, each name once; null for a text that is none.
 * @throws {EspalierError} `invalid_request` for a term that can't be read
 */
export function parseExpression(text: string): WeightedName[] | null {
  if (!isExpression(text)) return null
  const weights = new Map<string, number>()
  const terms = text.split("+")
  if (terms.length > MAX_TERMS)
    throw new EspalierError("invalid_request", `Expected at most ${MAX_TERMS} adapters but found ${terms.length}`, {
      param: "model",
    })
  for (const term of terms) {
    const { name, weight } = parseTerm(term, text)
    weights.set(name, (weights.get(name) ?? 0) + weight)
  }
  return [...weights].map(([name, weight]) => ({ name, weight }))
}

function parseTerm(term: string, text: string): WeightedName {
  const parts = term.split("*").map((part) => part.trim())
  const [first, second] = parts as [string, string | undefined]
  if (parts.length === 1 && first !== "") return { name: first, weight: 1 }
  if (parts.length === 2 && first && second) {
    const isNumber = NUMBER.test(second)
    if (isNumber) return { name: first, weight: Number(second) }
    if (NUMBER.test(first)) return { name: second, weight: Number(first) }
  }
  throw new EspalierError("invalid_request", `Can't read ${JSON.stringify(term)} in model ${JSON.stringify(text)}`, {
    hint: "A merge by request is written as card*0.7+json*0.3",
    param: "model",
  })
}
