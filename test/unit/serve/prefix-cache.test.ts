import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { BLOCK, PrefixCache } from "../../../src/serve/prefix-cache.ts"

/** What stands for the keys and values of positions of a sequence: the sum of all tokens up to each. */
const read =
  (tokens: readonly number[], scope = 0) =>
  (from: number, to: number): Float32Array =>
    Float32Array.from({ length: to - from }, (_, i) =>
      tokens.slice(0, from + i + 1).reduce((sum, token) => sum + token, scope),
    )
const BLOCK_BYTES = 4 * BLOCK
const draw = (random: ReturnType<typeof rng>, length: number): number[] => Array.from({ length }, () => random.below(3))

test("finds the whole blocks that a prompt begins with, and no others", () => {
  const cache = new PrefixCache(1e6)
  const tokens = Array.from({ length: 3 * BLOCK + 5 }, (_, i) => i)
  expect(cache.find("a", tokens)).toEqual([])
  cache.store("a", tokens, read(tokens))
  expect(cache.find("a", tokens).length).toBe(3)
  expect(cache.find("a", tokens.slice(0, 2 * BLOCK + 1)).length).toBe(2)
  expect(cache.find("a", [9, ...tokens.slice(1)])).toEqual([])
  const turned = [...tokens.slice(0, BLOCK), ...tokens.slice(BLOCK).reverse()]
  expect(cache.find("a", turned)).toEqual([read(tokens)(0, BLOCK)])
  expect(cache.find("b", tokens)).toEqual([])
  cache.clear()
  expect(cache.find("a", tokens)).toEqual([])
  expect(cache.bytes).toBe(0)
})

test("whatever comes and goes, what is found is what was computed for these very tokens under this scope", () => {
  const random = rng(5, "prefix")
  const cache = new PrefixCache(40 * BLOCK_BYTES)
  // Few tokens and shared beginnings, so that prompts meet.
  const roots = Array.from({ length: 4 }, () => draw(random, 2 * BLOCK))
  let found = 0
  for (let turn = 0; turn < 3000; turn++) {
    const tokens = [...random.pick(roots).slice(0, BLOCK * random.below(3)), ...draw(random, random.below(4 * BLOCK))]
    const scope = random.below(2)
    const blocks = cache.find(`scope ${scope}`, tokens)
    found += blocks.length
    for (const [i, block] of blocks.entries())
      expect(block).toEqual(read(tokens, 1000 * scope)(i * BLOCK, (i + 1) * BLOCK))
    cache.store(`scope ${scope}`, tokens, read(tokens, 1000 * scope))
    expect(cache.bytes).toBeLessThanOrEqual(40 * BLOCK_BYTES)
  }
  expect(found).toBeGreaterThan(1000)
})

test("the least recently used goes first, and what follows it with it", () => {
  const cache = new PrefixCache(4 * BLOCK_BYTES)
  const [one, two, three] = [1, 2, 3].map((token) => new Array<number>(2 * BLOCK).fill(token)) as [
    number[],
    number[],
    number[],
  ]
  cache.store("", one, read(one))
  cache.store("", two, read(two))
  expect(cache.find("", one).length).toBe(2)
  cache.store("", three, read(three))
  expect([one, two, three].map((tokens) => cache.find("", tokens).length)).toEqual([2, 0, 2])
})

test("what is longer than all that may be held is kept as far as it fits, and nothing of 0 bytes", () => {
  const tokens = Array.from({ length: 5 * BLOCK }, (_, i) => i)
  const small = new PrefixCache(2 * BLOCK_BYTES)
  small.store("", tokens, read(tokens))
  expect(small.find("", tokens).length).toBe(2)
  small.store("", tokens, read(tokens))
  expect(small.find("", tokens).length).toBe(2)
  const none = new PrefixCache(0)
  none.store("", tokens, read(tokens))
  expect(none.find("", tokens)).toEqual([])
})

test("reads only what is new", () => {
  const cache = new PrefixCache(1e6)
  const tokens = Array.from({ length: 4 * BLOCK }, (_, i) => i)
  cache.store("", tokens.slice(0, 2 * BLOCK), read(tokens))
  const asked: number[] = []
  cache.store("", tokens, (from, to) => {
    asked.push(from)
    return read(tokens)(from, to)
  })
  expect(asked).toEqual([2 * BLOCK, 3 * BLOCK])
})
