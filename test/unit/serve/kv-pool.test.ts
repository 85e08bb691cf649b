import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { KvPool } from "../../../src/serve/kv-pool.ts"

const shape = { layers: 2, kvHeads: 3, headDim: 2 }
const rows = 2 * shape.layers * shape.kvHeads

/** What a run would give for some slots: each number tells of the sequence, the row of the cache and the position. */
function added(sequences: readonly number[], from: readonly number[], tokens: number): Float32Array {
  const data: number[] = []
  for (let cache = 0; cache < 2 * shape.layers; cache++)
    for (const [i, sequence] of sequences.entries())
      for (let head = 0; head < shape.kvHeads; head++)
        for (let t = 0; t < tokens; t++)
          for (let d = 0; d < shape.headDim; d++) data.push(value(sequence, cache, head, from[i]! + t, d))
  return Float32Array.from(data)
}
const value = (sequence: number, cache: number, head: number, position: number, d: number): number =>
  sequence * 100_000 + cache * 10_000 + head * 1000 + position * 4 + d

test("sequences that come, grow, change places and go keep what is theirs", () => {
  const random = rng(1, "kv-pool")
  const pool = new KvPool(shape, 200)
  /** Sequence and length by slot. */
  const slots: ({ id: number; length: number } | null)[] = []
  let made = 0
  for (let turn = 0; turn < 600; turn++) {
    const taken = slots.flatMap((sequence, slot) => (sequence ? [slot] : []))
    const kind = random.below(5)
    if (kind === 0 || taken.length === 0) {
      const slot = slots.includes(null) ? slots.indexOf(null) : slots.length
      if (slot >= 9) continue
      pool.reserve(slot + 1, 0)
      slots[slot] = { id: ++made, length: 0 }
    } else if (kind === 1) {
      const slot = random.pick(taken)
      pool.clear(slot)
      slots[slot] = null
    } else if (kind === 2) {
      const [a, b] = [random.below(slots.length), random.below(slots.length)]
      if (a === b) continue
      pool.swap(a, b)
      ;[slots[a], slots[b]] = [slots[b]!, slots[a]!]
    } else {
      // A prompt's chunk of one, or a token of several side by side.
      const first = random.pick(taken)
      let count = 1
      while (kind === 4 && slots[first + count]) count++
      const tokens = kind === 3 ? 1 + random.below(20) : 1
      const batch = slots.slice(first, first + count).map((sequence) => sequence!)
      if (batch.some(({ length }) => length + tokens > 200)) continue
      pool.reserve(slots.length, Math.max(...batch.map(({ length }) => length)) + tokens)
      const ids = batch.map(({ id }) => id)
      const lengths = batch.map(({ length }) => length)
      pool.append(first, count, tokens, added(ids, lengths, tokens))
      for (const sequence of batch) sequence.length += tokens
    }
    for (const [slot, sequence] of slots.entries()) {
      expect(pool.length(slot)).toBe(sequence?.length ?? 0)
      if (sequence) expect(pool.read(slot, 0, sequence.length)).toEqual(added([sequence.id], [0], sequence.length))
    }
  }
  expect(made).toBeGreaterThan(50)
})

test("views are the caches' own memory, a slot after the other", () => {
  const pool = new KvPool(shape, 64)
  pool.reserve(3, 5)
  pool.append(1, 2, 2, added([7, 8], [0, 0], 2))
  const views = pool.views(1, 2)
  expect(Object.keys(views)).toEqual(["past_k.0", "past_v.0", "past_k.1", "past_v.1"])
  const values = views["past_v.1"]!
  expect(values.shape).toEqual([2, 3, 64, 2])
  expect(values.data[(1 * 3 + 2) * 64 * 2 + 1 * 2 + 1]).toBe(value(8, 3, 2, 1, 1))
})

test("room grows by blocks up to the context, and is given back whole", () => {
  const pool = new KvPool(shape, 100)
  const bytesOf = (slots: number, positions: number): number => slots * positions * rows * shape.headDim * 4
  pool.reserve(1, 3)
  expect(pool.bytes).toBe(bytesOf(1, 64))
  pool.reserve(1, 65)
  expect(pool.bytes).toBe(bytesOf(1, 100))
  pool.reserve(2, 65)
  pool.reserve(3, 65)
  expect(pool.bytes).toBe(bytesOf(4, 100))
  pool.release()
  expect(pool.bytes).toBe(0)
  expect(pool.length(0)).toBe(0)
})

test("room that a long sequence left behind is given back while others go on", () => {
  const pool = new KvPool(shape, 1000)
  const capacity = (): number => pool.views(0, 1)["past_k.0"]!.shape[2]!
  pool.reserve(2, 700)
  pool.append(0, 1, 5, added([3], [0], 5))
  pool.append(1, 1, 700, added([4], [0], 700))
  expect(capacity()).toBe(704)
  pool.reserve(2, 6)
  expect(capacity()).toBe(704)
  pool.clear(1)
  pool.reserve(2, 6)
  expect(capacity()).toBe(64)
  expect(pool.read(0, 0, 5)).toEqual(added([3], [0], 5))
})

test("what is not filled is zero, whoever was there before", () => {
  const pool = new KvPool(shape, 64)
  const broken = new Float32Array(rows * 3 * shape.headDim).fill(Number.NaN)
  pool.reserve(2, 3)
  pool.append(0, 1, 3, broken)
  pool.swap(0, 1)
  const isClean = (slot: number) =>
    Object.values(pool.views(slot, 1)).every(({ data }) => (data as Float32Array).every((x) => x === 0))
  expect([isClean(0), isClean(1)]).toEqual([true, false])
  pool.clear(1)
  expect(isClean(1)).toBe(true)
})
