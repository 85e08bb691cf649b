import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { extractLowrank } from "../../../src/merge/extract.ts"
import type { LinearSite } from "../../../src/models/site.ts"

const site = (path: string, transposed: boolean): LinearSite => ({
  kind: "linear",
  path,
  role: "q",
  layer: 0,
  inFeatures: 6,
  outFeatures: 4,
  transposed,
  bias: false,
})
const random = rng(1, "extract")
const normal = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal())

/** A change of rank 2 of one layer, [out, in]. */
const b = normal(8)
const a = normal(12)
const change = Float32Array.from({ length: 24 }, (_, i) => {
  const [row, column] = [Math.floor(i / 6), i % 6]
  return b[row * 2]! * a[column]! + b[row * 2 + 1]! * a[6 + column]!
})
const turned = (data: Float32Array): Float32Array =>
  Float32Array.from({ length: 24 }, (_, i) => data[(i % 4) * 6 + Math.floor(i / 4)]!)
const base = new Map([
  ["one.weight", normal(24)],
  ["two.weight", normal(24)],
  ["same.weight", normal(24)],
  ["norm.weight", new Float32Array(4).fill(1)],
])
const sum = (x: Float32Array, y: Float32Array): Float32Array => x.map((value, i) => value + y[i]!)
const tuned = new Map(base)
  .set("one.weight", sum(base.get("one.weight")!, change))
  .set("two.weight", sum(base.get("two.weight")!, turned(change)))
  .set("norm.weight", Float32Array.from([1, 1, 1.5, 1]))
const sites = [site("one", false), site("two", true), site("same", false)]
const read = (weights: Map<string, Float32Array>) => async (name: string) => weights.get(name)!

test("a change of rank 2 comes back whole in rank 2, whichever way its weight lies", async () => {
  const found = await extractLowrank({ sites, names: base.keys() }, read(base), read(tuned), { rank: 2 })
  expect(found.layers.map(({ path, rank }) => [path, rank])).toEqual([
    ["one", 2],
    ["two", 2],
  ])
  expect(found.error).toBeLessThan(1e-6)
  for (const { a, b } of found.forms)
    for (let i = 0; i < 24; i++) {
      const [row, column] = [Math.floor(i / 6), i % 6]
      expect(b.data[row * 2]! * a.data[column]! + b.data[row * 2 + 1]! * a.data[6 + column]!).toBeCloseTo(change[i]!, 5)
    }
})

test("in one rank the error is what the second singular value was", async () => {
  const found = await extractLowrank({ sites, names: base.keys() }, read(base), read(tuned), { rank: 1 })
  expect(found.layers.map(({ rank }) => rank)).toEqual([1, 1])
  expect(found.error).toBeGreaterThan(0.05)
  const within = await extractLowrank({ sites, names: base.keys() }, read(base), read(tuned), {
    error: found.error + 0.01,
  })
  expect(within.layers.map(({ rank }) => rank)).toEqual([1, 1])
  const nearer = await extractLowrank({ sites, names: base.keys() }, read(base), read(tuned), {
    error: found.error - 0.01,
  })
  expect(nearer.layers.map(({ rank }) => rank)).toEqual([2, 2])
})

test("what a LoRA can't hold is named with its change", async () => {
  const { lost } = await extractLowrank({ sites, names: base.keys() }, read(base), read(tuned), { rank: 2 })
  expect(lost).toEqual([{ name: "norm.weight", change: 0.25 }])
})
