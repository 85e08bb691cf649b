import { describe, expect, test } from "bun:test"
import { gradients } from "../../../src/graph/autodiff.ts"
import { GraphBuilder } from "../../../src/graph/builder.ts"
import type { Value } from "../../../src/graph/ir.ts"
import { peakOf } from "../../../src/plan/liveness.ts"
import { executionOrder } from "../../../src/plan/order.ts"
import { Sizes } from "../../../src/plan/sizes.ts"

/** Bytes of 100 numbers, which is what every vector of these graphs holds. */
const VECTOR = 400

/** The peak of a graph over an input of 100 numbers, in such vectors. */
function vectorsAtPeak(build: (g: GraphBuilder, x: Value) => Value): number {
  const g = new GraphBuilder()
  g.output("y", build(g, g.input("x", "f32", ["N", 10])))
  return peakOf(g.finish("g"), new Sizes({ N: 10 })).bytes / VECTOR
}

/** A node that no kernel computes in place. */
const copy = (g: GraphBuilder, x: Value): Value => g.transpose(x, [1, 0])

describe("peakOf()", () => {
  test("counts neither inputs nor outputs: they are the caller's", () => {
    expect(vectorsAtPeak((g, x) => g.exp(x))).toBe(0)
  })

  test("frees a value after its last reader", () => {
    // Three values in a chain, and the output: never more than two at once.
    expect(vectorsAtPeak((g, x) => copy(g, copy(g, copy(g, copy(g, x)))))).toBe(2)
  })

  test("holds a value until the last of its readers", () => {
    const chain = (g: GraphBuilder, x: Value) => copy(g, copy(g, x))
    expect(
      vectorsAtPeak((g, x) => {
        const first = copy(g, x)
        return g.gemm(chain(g, chain(g, first)), first, { transA: true })
      }),
    ).toBe(3)
  })

  test("computes in place where an input is not needed again, and not where it is", () => {
    expect(vectorsAtPeak((g, x) => copy(g, g.neg(g.exp(copy(g, x)))))).toBe(1)
    expect(
      vectorsAtPeak((g, x) => {
        const first = copy(g, x)
        const second = g.exp(first)
        return g.gemm(first, second, { transA: true })
      }),
    ).toBe(2)
  })

  test("takes a reshaped value for the same memory, which stays as long as either is needed", () => {
    expect(vectorsAtPeak((g, x) => copy(g, g.reshape(copy(g, x), [5, "2*N"])))).toBe(1)
    expect(
      vectorsAtPeak((g, x) => {
        const first = copy(g, x)
        const flat = g.reshape(first, ["10*N"])
        return g.add(copy(g, copy(g, first)), g.reshape(g.exp(flat), [10, "N"]))
      }),
    ).toBe(3)
  })

  test("counts the 8-bit weight that becomes f32 for one product", () => {
    const g = new GraphBuilder()
    const codes = g.weight("w.codes", [64, 32], { offset: 0, length: 2048 }, "u8")
    const scales = g.weight("w.scales", [64], { offset: 2048, length: 256 })
    g.output("y", g.codesProduct(g.input("x", "f32", ["N", 32]), { codes, scales, bits: 8 }))
    expect(peakOf(g.finish("g"), new Sizes({ N: 10 })).bytes).toBe(64 * 32 * 4)
  })

  test("leaves out what the engine is not asked to make, and holds other outputs that nobody reads to the end", () => {
    const withNorm = (g: GraphBuilder, x: Value) => copy(g, g.rmsNorm(x, g.input("w", "f32", [10]), 1e-6))
    expect(vectorsAtPeak(withNorm)).toBe(1)
    // The second half of each cut is read by nobody.
    const cut = (g: GraphBuilder, x: Value) => copy(g, copy(g, g.split(copy(g, x), 1, [5, 5])[0]!))
    expect(vectorsAtPeak(cut)).toBe(2)
  })

  test("names the size that nothing gives", () => {
    const g = new GraphBuilder()
    g.output("y", copy(g, copy(g, g.input("x", "f32", ["M", 2]))))
    expect(() => peakOf(g.finish("g"), new Sizes({ N: 1 }))).toThrow("Nothing gives the size M")
  })
})

describe("executionOrder()", () => {
  test("computes a gradient when the backward pass has come to it, and early outputs first of all", () => {
    const g = new GraphBuilder()
    const weights = [0, 1, 2].map((i) => g.input(`w${i}`, "f32", [4, 4]))
    let x = g.input("x", "f32", ["N", 4])
    for (const w of weights) x = g.gemm(x, w)
    const loss = g.reduceSum(g.exp(x), [0, 1])
    g.output("loss", g.neg(loss), { early: true })
    for (const [i, gradient] of gradients(g, loss, weights).entries()) g.output(`grad:${i}`, gradient)
    const graph = g.finish("g")
    const order = executionOrder(graph)
    const at = (name: string) => {
      const { origin } = graph.outputs.find((output) => output.name === name)!.value
      return order.findIndex((node) => origin.kind === "node" && origin.node === node)
    }
    expect(at("loss")).toBeLessThan(at("grad:2"))
    expect(at("grad:2")).toBeLessThan(at("grad:1"))
    expect(at("grad:1")).toBeLessThan(at("grad:0"))
    // A node comes after those that it reads.
    for (const [i, { inputs }] of order.entries())
      for (const { origin } of inputs) if (origin.kind === "node") expect(order.indexOf(origin.node)).toBeLessThan(i)
  })
})

describe("Sizes", () => {
  test("knows halves of a size and of a product by their names, and learns joint sizes", () => {
    const sizes = new Sizes({ B: 3, T: 5 })
    const [first, rest] = new GraphBuilder().halve(new GraphBuilder().input("x", "f32", ["B*T", 2]), 0)
    expect([first, rest].map(({ shape }) => sizes.number(shape[0]!))).toEqual([8, 7])
    const g = new GraphBuilder()
    const [a, b] = g.halve(g.input("x", "f32", ["T", 2]), 0)
    const [early] = g.halve(a, 0)
    expect([a, b, early!].map(({ shape }) => sizes.number(shape[0]!))).toEqual([3, 2, 2])
    const joint = g.concat([b, early!], 0, "Joint")
    if (joint.origin.kind === "node") sizes.learn(joint.origin.node)
    expect(sizes.bytes(joint)).toBe(4 * 2 * 4)
  })
})
