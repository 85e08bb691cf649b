import { describe, expect, test } from "bun:test"
import { blockBytes, type CodeBits } from "../../../src/core/codes.ts"
import { f32, i64 } from "../../../src/core/tensor.ts"
import { gradients } from "../../../src/graph/autodiff.ts"
import { type CodesValue, GraphBuilder } from "../../../src/graph/builder.ts"
import type { GraphModel } from "../../../src/graph/ir.ts"
import { lower } from "../../../src/graph/lower/lower.ts"
import type { Lowering } from "../../../src/graph/op.ts"

/** A matrix [out, in] held as codes. */
const held = (g: GraphBuilder, name: string, bits: CodeBits, [out, columns]: [number, number]): CodesValue => ({
  bits,
  codes: g.weight(
    `${name}.codes`,
    [(out * columns) / 32, blockBytes(bits)],
    { offset: 0, length: (out * columns * bits) / 8 },
    "u8",
  ),
  scales: g.weight(`${name}.scales`, [(out * columns) / 32], { offset: 0, length: out * columns * 4 }),
})

/** Two layers of codes with a trainable scale between them, an output layer as f32, and the gradient of the scale. */
function trained(bits: CodeBits): GraphModel {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 64])
  const scale = g.input("scale", "f32", [32])
  const h = g.mul(g.codesProduct(x, held(g, "up", bits, [32, 64])), scale)
  const y = g.codesProduct(h, held(g, "down", bits, [64, 32]))
  const z = g.gemm(y, g.dequantize(held(g, "head", bits, [96, 64]), [96, 64], y), { transB: true })
  g.output("d", gradients(g, g.reduceSum(g.mul(z, z), [0, 1]), [scale])[0]!)
  return g.finish("trained")
}

for (const lowering of ["fused", "standard"] as const satisfies readonly Lowering[])
  for (const bits of [8, 4] as const satisfies readonly CodeBits[]) {
    describe(`weights held as codes of ${bits} bits, ${lowering} lowering`, () => {
      const model = lower(trained(bits), lowering)
      const madeBy = new Map(model.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))

      test("become f32 only once an input of the graph is there, one layer at a time", () => {
        const inputs = new Set(model.inputs.map(({ name }) => name))
        const waits = (name: string): boolean => inputs.has(name) || (madeBy.get(name)?.inputs.some(waits) ?? false)
        const made = model.nodes.filter(({ opType }) => opType === "DequantizeLinear")
        // Each layer once, and once more for the gradient of what lies above the scale.
        expect(made.length).toBe(4)
        expect(made.filter(({ inputs: [, scales] }) => waits(scales!)).length).toBe(4)
        expect(new Set(made.map(({ inputs: [codes, scales] }) => `${codes} ${scales}`)).size).toBe(4)
        // Bytes are not taken apart before that either.
        const split = model.nodes.filter(({ opType }) => opType === "BitShift")
        expect(split.length).toBe(bits === 4 ? 4 : 0)
        expect(split.every(({ inputs: [codes] }) => waits(codes!))).toBe(true)
      })

      test("get no gradient of their own", () => {
        // Forward: up, down, head. Backward: through the head and through down.
        expect(model.nodes.filter(({ opType }) => opType === "Gemm").length).toBe(5)
      })
    })
  }

test("a product on kernels for 8-bit weights is one node, and is not differentiated", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 64])
  const codes = g.weight("codes", [3, 2, 32], { offset: 0, length: 192 }, "u8")
  const y = g.codesProductRounded(x, { bits: 8, codes, scales: g.weight("scales", [6], { offset: 192, length: 24 }) })
  g.output("y", y)
  const model = lower(g.finish("rounded"), "fused")
  expect(model.nodes.map(({ opType, domain }) => `${domain}.${opType}`)).toEqual(["com.microsoft.MatMulNBits"])
  expect(model.initializers.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`)).toEqual([
    "codes u8 [3,2,32]",
    "scales f32 [6]",
  ])
  expect(() => gradients(g, g.reduceSum(y, [0, 1]), [x])).toThrow("Operator codesProductRounded has no gradient")
})

describe("what doesn't fit is refused, with what was expected", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "f32", ["N", 64])
  const codes = g.constant({ dtype: "u8", shape: [10, 32], data: new Uint8Array(320) })
  const scales = g.constant(f32([10], new Float32Array(10)))
  const row = (columns: number) => g.constant(f32([1, columns], new Float32Array(columns)))
  const rows: readonly (readonly [string, () => unknown, RegExp])[] = [
    [
      "codes that are no u8",
      () => g.codesProduct(x, { bits: 8, codes: scales, scales }),
      /codes u8 \[blocks, 32\] but found f32/,
    ],
    [
      "codes of 8 bits where 4 are held",
      () => g.codesProduct(x, { bits: 4, codes, scales }),
      /codes u8 \[blocks, 16\] but found u8 \[10,32\]/,
    ],
    [
      "scales of another count",
      () => g.codesProduct(x, { bits: 8, codes, scales: row(3) }),
      /scales f32 \[10\] but found/,
    ],
    [
      "rows that are no blocks",
      () => g.codesProduct(row(40), { bits: 8, codes, scales }),
      /whole blocks of 32 but found 40/,
    ],
    [
      "rows that codes can't be cut into",
      () => g.codesProduct(row(96), { bits: 8, codes, scales }),
      /cut 10 blocks into rows of 96/,
    ],
    [
      "as many rows as codes can't be cut into",
      () => g.codesProduct(row(3), { bits: 8, codes, scales }, { transposed: true }),
      /cut 10 blocks into 3 rows/,
    ],
    [
      "a table of such rows",
      () => g.codesRows({ bits: 8, codes, scales }, g.constant(i64([1], [0])), 40),
      /but found 40/,
    ],
    ["another shape", () => g.dequantize({ bits: 8, codes, scales }, [5, 65], x), /10 blocks of 32 the shape \[5,65\]/],
    [
      "codes not by rows",
      () => g.codesProductRounded(x, { bits: 8, codes, scales }),
      /codes u8 \[out, 2, 32\] but found u8 \[10,32\]/,
    ],
    [
      "scales not by rows",
      () =>
        g.codesProductRounded(x, {
          bits: 8,
          codes: g.constant({ dtype: "u8", shape: [5, 2, 32], data: new Uint8Array(320) }),
          scales: row(3),
        }),
      /scales \[10\] but found \[1,3\]/,
    ],
  ]
  for (const [name, build, message] of rows) test(name, () => expect(build).toThrow(message))
})
