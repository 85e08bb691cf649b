import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import type { LowrankForm } from "../../../src/forms/form.ts"
import type { LinearSite } from "../../../src/models/site.ts"
import { groupFactors, outputBlocks } from "../../../src/serve/lowrank-groups.ts"

const site = (path: string, outFeatures: number): LinearSite => ({
  kind: "linear",
  role: "q",
  layer: 0,
  inFeatures: 4,
  transposed: false,
  bias: false,
  path,
  outFeatures,
})
const sites = (q: number, k: number, v: number) => [site("q", q), site("k", k), site("v", v)]
const group = { name: "q+k+v", roles: "q+k+v", sites: sites(5, 2, 3), blocks: null }
const inBlocks = { ...group, sites: sites(6, 3, 3), blocks: { width: 3, sites: [0, 0, 1, 2] } }

const random = rng(1, "groups")
const numbers = (...shape: [number, number]) =>
  f32(
    shape,
    Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
  )
const lora = (path: string, rank: number, out: number): LowrankForm => ({
  form: "lowrank",
  path,
  a: numbers(rank, 4),
  b: numbers(out, rank),
  scale: 0.5,
})

/** x W of a row. */
const times = (x: readonly number[], { shape, data }: Tensor<"f32">): number[] =>
  Array.from({ length: shape[1]! }, (_, j) => x.reduce((sum, xi, i) => sum + xi * data[i * shape[1]! + j]!, 0))

/** scale B A x. */
const alone = (x: readonly number[], { a, b, scale }: LowrankForm): number[] => {
  const rank = a.shape[0]!
  const down = Array.from({ length: rank }, (_, r) => x.reduce((sum, xi, i) => sum + xi * a.data[r * 4 + i]!, 0))
  return Array.from(
    { length: b.shape[0]! },
    (_, o) => scale * down.reduce((sum, d, r) => sum + d * b.data[o * rank + r]!, 0),
  )
}

test("factors of a group give each layer its own update, and none to a layer without", () => {
  const x = [0.3, -1, 2, 0.7]
  const [q, v, more] = [lora("q", 2, 5), lora("v", 3, 3), lora("v", 1, 3)]
  const { a, b } = groupFactors(group, [q, v, more])
  expect([a.shape, b.shape]).toEqual([
    [4, 6],
    [6, 10],
  ])
  const found = times(times(x, a), b)
  const both = alone(x, v).map((y, i) => y + alone(x, more)[i]!)
  for (const [i, y] of [...alone(x, q), 0, 0, ...both].entries()) expect(found[i]).toBeCloseTo(y, 5)
})

test("without forms a group adds nothing", () => {
  const { a, b } = groupFactors(group, [])
  expect([a.shape, b.shape, [...a.data, ...b.data].every((x) => x === 0)]).toEqual([[4, 1], [1, 10], true])
})

test("factors of a group in blocks give each block its layer's part, of the largest rank", () => {
  const x = [0.3, -1, 2, 0.7]
  const [q, v] = [lora("q", 2, 6), lora("v", 3, 3)]
  const { a, b } = groupFactors(inBlocks, [q, v])
  expect([a.shape, a.parts, b.shape]).toEqual([[4, 9], 3, [4, 3, 3]])
  const down = times(x, a)
  const found = inBlocks.blocks.sites.flatMap((layer, block) =>
    times(down.slice(3 * layer, 3 * layer + 3), f32([3, 3], b.data.subarray(block * 9, (block + 1) * 9))),
  )
  for (const [i, y] of [...alone(x, q), 0, 0, 0, ...alone(x, v)].entries()) expect(found[i]).toBeCloseTo(y, 5)
})

test("without forms a group in blocks adds nothing", () => {
  const { a, b } = groupFactors(inBlocks, [])
  expect([a.shape, b.shape, [...a.data, ...b.data].every((x) => x === 0)]).toEqual([[4, 3], [4, 1, 3], true])
})

test("outputs are cut into blocks of one width where there are few", () => {
  expect(outputBlocks([576, 192, 192])).toEqual({ width: 192, sites: [0, 0, 0, 1, 2] })
  expect(outputBlocks([1536, 1536])).toEqual({ width: 1536, sites: [0, 1] })
  expect(outputBlocks([896, 128, 128])).toBeNull()
  expect(outputBlocks([576])).toBeNull()
})
