/**
 * @module Checks an operator's gradient against central differences of the very graph that computes it, on a runtime.
 */
import { rng } from "../../src/core/rng.ts"
import { f32, sizeOf, type Tensor } from "../../src/core/tensor.ts"
import { gradients } from "../../src/graph/autodiff.ts"
import { GraphBuilder } from "../../src/graph/builder.ts"
import type { Value } from "../../src/graph/ir.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import type { Lowering } from "../../src/graph/op.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import type { OpCase } from "./op-cases.ts"

/** Step of the differences: large enough that f32 rounding of the outputs stays below the tolerance. */
const STEP = 1 / 128

/**
 * The largest difference between a gradient and its central difference, over every element of every input, relative to
 * the largest gradient (at least 1).
 */
export async function gradientError(
  runtime: Runtime,
  lowering: Lowering,
  { name, shapes, declared, range = [-1, 1], build }: OpCase,
): Promise<number> {
  const random = rng(1, `op-case:${name}`)
  const uniform = (size: number, [low, high]: readonly [number, number]) =>
    Float32Array.from({ length: size }, () => low + (high - low) * random.next())
  const feeds: Record<string, Tensor<"f32">> = {}
  const g = new GraphBuilder()
  const inputs = shapes.map((shape, i) => {
    feeds[`x${i}`] = f32(shape, uniform(sizeOf(shape), range))
    return g.input(`x${i}`, "f32", declared?.[i] ?? shape)
  })
  const built = build(g, inputs)
  const outputs: readonly Value[] = Array.isArray(built) ? built : [built as Value]
  // The scalar differentiated is the sum of tanh(y) (y + 0.5): a smooth, non-linear function of every output.
  let target: Value | null = null
  for (const [i, output] of outputs.entries()) {
    g.output(`y${i}`, output)
    const wave = g.mul(g.tanh(output), g.add(output, 0.5))
    const total = g.reduceSum(
      wave,
      output.shape.map((_, axis) => axis),
    )
    const scalar = output.shape.length === 0 ? wave : total
    target = target ? g.add(target, scalar) : scalar
  }
  gradients(g, target!, inputs).forEach((gradient, i) => g.output(`g${i}`, gradient))
  const session = await runtime.createSession({ model: encodeModel(lower(g.finish(name), lowering)), weights: null })
  /** The target in f64 from the f32 outputs, so that only the operator under test rounds. */
  const value = async (): Promise<number> => {
    const found = await session.run(feeds)
    let sum = 0
    for (let i = 0; i < outputs.length; i++)
      for (const y of found[`y${i}`]!.data as Float32Array) sum += Math.tanh(y) * (y + 0.5)
    return sum
  }
  const first = await session.run(feeds)
  const found = shapes.map((_, i) => Float32Array.from(first[`g${i}`]!.data as Float32Array))
  let worst = 0
  const largest = Math.max(1, ...found.flatMap((gradient) => [...gradient].map(Math.abs)))
  for (const [i, gradient] of found.entries()) {
    const data = feeds[`x${i}`]!.data
    for (let j = 0; j < data.length; j++) {
      const held = data[j]!
      data[j] = held + STEP
      const above = { x: data[j]!, y: await value() }
      data[j] = held - STEP
      const below = { x: data[j]!, y: await value() }
      data[j] = held
      const difference = (above.y - below.y) / (above.x - below.x)
      worst = Math.max(worst, Math.abs(difference - gradient[j]!) / largest)
    }
  }
  await session.dispose()
  return worst
}
