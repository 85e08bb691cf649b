/**
 * @module Sizes of a graph's tensors: a number, or a product of a number and named sizes such as `B*T` or `3*T`, in one
 * canonical spelling so that equal sizes are equal strings. Sums have no spelling: give them a name of their own.
 */

/** A size: fixed, or symbolic. */
export type Dim = number | string

/** A shape with fixed and symbolic sizes. */
export type Shape = readonly Dim[]

/** A size taken apart: coefficient times symbols. */
export interface Monomial {
  readonly coefficient: number
  readonly symbols: readonly string[]
}

/** Takes a size apart. @throws {SyntaxError} If `dim` is not a number or a product of names. */
export function parseDim(dim: Dim): Monomial {
  if (typeof dim === "number") return { coefficient: dim, symbols: [] }
  let coefficient = 1
  const symbols: string[] = []
  for (const factor of dim.split("*")) {
    if (/^\d+$/.test(factor)) coefficient *= Number(factor)
    else if (/^[A-Za-z]\w*$/.test(factor)) symbols.push(factor)
    else throw new SyntaxError(`Expected a size such as 4, T or 3*B*T but found "${dim}"`)
  }
  return { coefficient, symbols: symbols.sort() }
}

/** Puts a size together in its canonical spelling. */
export function formatDim({ coefficient, symbols }: Monomial): Dim {
  if (coefficient === 0 || symbols.length === 0) return coefficient
  const names = [...symbols].sort().join("*")
  return coefficient === 1 ? names : `${coefficient}*${names}`
}

/** The canonical product of sizes. */
export function product(dims: Shape): Dim {
  let coefficient = 1
  const symbols: string[] = []
  for (const dim of dims) {
    const part = parseDim(dim)
    coefficient *= part.coefficient
    symbols.push(...part.symbols)
  }
  return formatDim({ coefficient, symbols })
}

/** Whether two sizes are the same. */
export const sameDim = (a: Dim, b: Dim): boolean => product([a]) === product([b])

/** Whether two shapes are the same. */
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!))

/** The sum of sizes, where it has a spelling: all fixed, or all multiples of the same symbols. */
export function sum(dims: Shape): Dim | null {
  const parts = dims.map(parseDim)
  const symbols = parts[0]?.symbols ?? []
  if (parts.some((part) => part.symbols.join("*") !== symbols.join("*"))) return null
  return formatDim({ coefficient: parts.reduce((total, part) => total + part.coefficient, 0), symbols })
}

/** The shape two operands broadcast to, by NumPy's rules. @throws {TypeError} If they don't. */
export function broadcast(a: Shape, b: Shape): Dim[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    if (sameDim(x, y) || y === 1) return x
    if (x === 1) return y
    throw new TypeError(`Shapes [${a}] and [${b}] don't broadcast: ${x} against ${y}`)
  })
}
