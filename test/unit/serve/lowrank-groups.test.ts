import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import type { LowrankForm } from "../../../src/forms/form.ts"
import type { LinearSite } from "../../../src/models/site.ts"
import { groupFactors } from "../../../src/serve/lowrank-groups.ts"

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
const group = { name: "q+k+v", roles: "q+k+v", sites: [site("q", 5), site("k", 2), site("v", 3)] }

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

/** A matrix [m, n] as [n, m]. */
const turned = ({ shape: [m, n], data }: Tensor<"f32">) =>
  f32(
    [n!, m!],
    Float32Array.from(data, (_, i) => data[(i % m!) * n! + Math.floor(i / m!)]!),
  )

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
    [6, 4],
    [6, 10],
  ])
  const found = times(times(x, turned(a)), b)
  const both = alone(x, v).map((y, i) => y + alone(x, more)[i]!)
  for (const [i, y] of [...alone(x, q), 0, 0, ...both].entries()) expect(found[i]).toBeCloseTo(y, 5)
})

test("without forms a group adds nothing", () => {
  const { a, b } = groupFactors(group, [])
  expect([a.shape, b.shape, [...a.data, ...b.data].every((x) => x === 0)]).toEqual([[1, 4], [1, 10], true])
})
