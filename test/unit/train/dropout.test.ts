/**
 * @module Masks of dropout.
 */
import { describe, expect, test } from "bun:test"
import { type DropoutInput, dropoutLevel, dropoutMasks, dropoutScale } from "../../../src/train/dropout.ts"

const inputs: readonly DropoutInput[] = [
  { name: "dropout:a", features: 12, level: dropoutLevel(0.3) },
  { name: "dropout:b", features: 5, level: dropoutLevel(0.1) },
]

/** Masks as texts, which later calls don't overwrite. */
const made = (seed: number, firstRow: number, rows: number, positions: number): Record<string, string> =>
  Object.fromEntries(
    Object.entries(dropoutMasks(inputs)(seed, firstRow, rows, positions)).map(([name, { data }]) => [
      name,
      [...(data as Uint8Array)].join(""),
    ]),
  )

test("dropoutLevel() is the nearest of 65537 levels, and refuses what is no probability", () => {
  expect([0, 1e-6, 0.1, 0.5, 1].map(dropoutLevel)).toEqual([0, 0, 6554, 32768, 65536])
  for (const p of [-0.1, 1.1, Number.NaN]) expect(() => dropoutLevel(p)).toThrow("from 0 to 1")
})

test("dropoutScale() times the part that is kept is exactly 1, and 0 where nothing is kept", () => {
  for (const p of [0.05, 0.1, 0.25, 0.5, 0.9]) {
    const level = dropoutLevel(p)
    expect(dropoutScale(level) * ((65536 - level) / 65536)).toBeCloseTo(1, 15)
  }
  expect(dropoutScale(dropoutLevel(1))).toBe(0)
})

describe("dropoutMasks()", () => {
  test("gives each input a mask of its own, bool [rows * positions, features]", () => {
    const masks = dropoutMasks(inputs)(1, 0, 2, 3)
    expect(Object.entries(masks).map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["dropout:a", "bool", [6, 12]],
      ["dropout:b", "bool", [6, 5]],
    ])
    for (const { data } of Object.values(masks)) expect([...(data as Uint8Array)].every((x) => x <= 1)).toBe(true)
  })

  test("gives the same for the same seed, and another for another seed, row or input", () => {
    const first = made(1, 0, 3, 40)
    expect(made(1, 0, 3, 40)).toEqual(first)
    expect(made(2, 0, 3, 40)["dropout:a"]).not.toBe(first["dropout:a"]!)
    const rows = Array.from({ length: 3 }, (_, row) => first["dropout:a"]!.slice(row * 480, (row + 1) * 480))
    expect(new Set(rows).size).toBe(3)
    const alike: readonly DropoutInput[] = ["x", "y"].map((name) => ({ name, features: 12, level: 20_000 }))
    const { x, y } = dropoutMasks(alike)(1, 0, 3, 40)
    expect(x!.data).not.toEqual(y!.data)
  })

  test("gives a row the same mask in whatever piece of the batch it comes", () => {
    const whole = made(7, 0, 5, 4)
    const pieces = [made(7, 0, 2, 4), made(7, 2, 1, 4), made(7, 3, 2, 4)]
    for (const { name } of inputs) expect(pieces.map((piece) => piece[name]).join("")).toBe(whole[name]!)
  })

  test("uses its memory again, also for a smaller and then a larger batch", () => {
    const masks = dropoutMasks(inputs)
    const text = (...of: Parameters<typeof masks>): string =>
      [...(masks(...of)["dropout:b"]!.data as Uint8Array)].join("")
    const first = masks(3, 0, 2, 4)["dropout:b"]!.data.buffer
    expect(text(4, 0, 1, 2)).toBe(made(4, 0, 1, 2)["dropout:b"]!)
    expect(masks(3, 0, 2, 4)["dropout:b"]!.data.buffer).toBe(first)
    expect(text(5, 0, 4, 8)).toBe(made(5, 0, 4, 8)["dropout:b"]!)
  })

  test("keeps the expectation: scaled and summed over many seeds, an input comes back", () => {
    const one: DropoutInput = { name: "dropout:a", features: 8, level: dropoutLevel(0.3) }
    const masks = dropoutMasks([one])
    const draws = 20_000
    const sums = new Float64Array(8)
    for (let seed = 0; seed < draws; seed++)
      for (const [i, kept] of (masks(seed, 0, 1, 1)["dropout:a"]!.data as Uint8Array).entries()) sums[i]! += kept
    // Each is the mean of `draws` numbers of deviation sqrt(p / (1 - p)).
    const deviation = Math.sqrt(0.3 / 0.7 / draws)
    for (const sum of sums) expect(Math.abs((sum / draws) * dropoutScale(one.level) - 1)).toBeLessThan(4 * deviation)
  })
})
