import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import { RowBank, type RowFeeds } from "../../../src/serve/row-bank.ts"

/** Factors of a rank: A [4, rank] and B [rank, 3]. */
function factors(rank: number, seed: number): RowFeeds {
  const random = rng(seed, "factors")
  const matrix = (height: number, width: number): Tensor<"f32"> =>
    f32(
      [height, width],
      Float32Array.from({ length: height * width }, () => random.normal()),
    )
  return { a: matrix(4, rank), b: matrix(rank, 3) }
}

/** A B, of a row of what the bank feeds or of the factors themselves. */
function product(a: Tensor<"f32">, b: Tensor<"f32">, row = 0): number[] {
  const [height, inner] = a.shape.slice(-2) as [number, number]
  const width = b.shape.at(-1)!
  const [x, y] = [a.data.subarray(row * height * inner), b.data.subarray(row * inner * width)]
  return Array.from({ length: height * width }, (_, i) => {
    let sum = 0
    for (let k = 0; k < inner; k++) sum += x[Math.floor(i / width) * inner + k]! * y[k * width + (i % width)]!
    return Math.fround(sum)
  })
}

test("each row's product is its own, whatever ranks came before it and sit beside it", () => {
  const random = rng(3, "bank")
  const adapters = [1, 2, 8, 5, 16, 3].map((rank, seed) => factors(rank, seed))
  const bank = new RowBank()
  for (let turn = 0; turn < 200; turn++) {
    const rows = Array.from({ length: 1 + random.below(7) }, () => random.pick(adapters.slice(0, 2 + (turn >> 5))))
    const { a, b } = bank.feeds(rows)
    expect(a!.shape[0]).toBe(rows.length)
    expect(b!.shape[1]).toBe(a!.shape[2])
    for (const [row, feeds] of rows.entries()) expect(product(a!, b!, row)).toEqual(product(feeds.a!, feeds.b!))
  }
})

test("a row of several matrices has each padded by itself", () => {
  const several = (rank: number, seed: number): RowFeeds => {
    const [one, other] = [factors(rank, seed), factors(rank, seed + 100)]
    const both = (name: "a" | "b") =>
      f32([2, ...one[name]!.shape], Float32Array.from([...one[name]!.data, ...other[name]!.data]))
    return { a: both("a"), b: both("b") }
  }
  const bank = new RowBank()
  const rows = [several(2, 1), several(5, 2), several(1, 3)]
  for (const order of [rows, rows.toReversed(), [rows[2]!, rows[0]!]]) {
    const { a, b } = bank.feeds(order)
    expect([a!.shape, b!.shape]).toEqual([
      [order.length, 2, 4, 5],
      [order.length, 2, 5, 3],
    ])
    for (const [row, feeds] of order.entries())
      for (const i of [0, 1]) {
        const own = ({ shape, data }: Tensor<"f32">): Tensor<"f32"> =>
          f32(shape.slice(1), data.subarray((i * data.length) / 2, ((i + 1) * data.length) / 2))
        expect(product(a!, b!, 2 * row + i)).toEqual(product(own(feeds.a!), own(feeds.b!)))
      }
  }
})

test("columns in parts have each part padded by itself", () => {
  const bank = new RowBank()
  const row = (rank: number, first: number): RowFeeds => ({
    a: {
      ...f32(
        [2, 2 * rank],
        Float32Array.from({ length: 4 * rank }, (_, i) => first + i),
      ),
      parts: 2,
    },
  })
  const { a } = bank.feeds([row(1, 1), row(3, 11)])
  expect(a!.shape).toEqual([2, 2, 6])
  expect([...a!.data.subarray(0, 12)]).toEqual([1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0])
  expect([...a!.data.subarray(12)]).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22])
})

test("a row that keeps its adapter is not written again", () => {
  const bank = new RowBank()
  const [one, other] = [factors(2, 1), factors(2, 2)]
  const { a } = bank.feeds([one, other])
  a!.data[0] = 123
  expect(bank.feeds([one, one]).a!.data[0]).toBe(123)
  expect(bank.feeds([other, one]).a!.data[0]).toBe(other.a!.data[0]!)
})

test("as many rows are the same objects, or others once one was written where that is asked for", () => {
  const [one, other] = [factors(2, 1), factors(2, 2)]
  for (const renews of [false, true]) {
    const bank = new RowBank(renews)
    const first = bank.feeds([one, other])
    expect(bank.feeds([one, other])).toBe(first)
    const second = bank.feeds([other, other])
    expect(second === first).toBe(!renews)
    expect(product(second.a!, second.b!)).toEqual(product(other.a!, other.b!))
    // Fewer rows and more of a larger rank, which has no room.
    expect(bank.feeds([other]).a!.shape).toEqual([1, 4, 2])
    expect(bank.feeds([other, factors(3, 3)]).a!.shape).toEqual([2, 4, 3])
  }
})

test("a bank that was cleared begins anew", () => {
  const bank = new RowBank()
  bank.feeds([factors(16, 1)])
  bank.clear()
  expect(bank.feeds([factors(2, 1)]).a!.shape).toEqual([1, 4, 2])
})
