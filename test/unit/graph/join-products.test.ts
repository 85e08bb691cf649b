import { expect, test } from "bun:test"
import { gradients, nodesBelow } from "../../../src/graph/autodiff.ts"
import { GraphBuilder } from "../../../src/graph/builder.ts"
import type { Value } from "../../../src/graph/ir.ts"
import { joinThinProducts } from "../../../src/graph/join-products.ts"

/** Two thin products and a wide one of the same matrix, and one of another; all summed up. */
function example() {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 96])
  const h = g.exp(x)
  const thin = [8, 4].map((rows, i) => g.input(`a${i}`, "f32", [rows, 96]))
  const wide = g.input("w", "f32", [96, 96])
  const total = (value: Value) => g.reduceSum(value, [0, 1])
  const product = (left: Value, right: Value) => g.gemm(left, right, { transB: true })
  const parts = [product(h, thin[0]!), product(h, wide), product(h, thin[1]!), product(x, thin[0]!)]
  const sum = parts.map((part) => total(g.tanh(part))).reduce((a, b) => g.add(a, b))
  return { g, x, sum }
}

const products = (...values: Value[]) => nodesBelow(...values).filter(({ op }) => op.name === "gemm")

test("thin products of one matrix become one, and so does their gradient", () => {
  const { g, x, sum } = example()
  expect(products(sum).map(({ outputs }) => outputs[0]!.shape[1])).toEqual([8, 96, 4, 8])
  const [joined] = joinThinProducts(g, [sum]) as [Value]
  expect(products(joined).map(({ outputs }) => outputs[0]!.shape[1])).toEqual([12, 96, 8])
  expect(products(...gradients(g, joined, [x])).length).toBe(6)
})

test("a graph without such products stays the very same", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 8])
  const y = g.exp(g.gemm(x, g.input("a", "f32", [4, 8]), { transB: true }))
  expect(joinThinProducts(g, [y, x])).toEqual([y, x])
})
