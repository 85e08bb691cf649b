/**
 * @module Every differentiable operator against finite differences, under both lowerings, and what threads may not lose.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { f32, i64 } from "../../src/core/tensor.ts"
import { gradients } from "../../src/graph/autodiff.ts"
import { GraphBuilder } from "../../src/graph/builder.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import { native } from "../../src/runtime/native.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { gradientError } from "../support/check-gradient.ts"
import { opCases } from "../support/op-cases.ts"

/** The error of a central difference with this step is of the order of step^2 / 6 times the third derivative. */
const TOLERANCE = 2e-3

let runtime: Runtime
beforeAll(async () => {
  runtime = await native.open({ threads: 1 })
})
afterAll(() => runtime.dispose())

for (const lowering of ["fused", "standard"] as const) {
  describe(`gradients of the ${lowering} lowering agree with finite differences`, () => {
    for (const each of opCases) {
      test(each.name, async () => {
        expect(await gradientError(runtime, lowering, each)).toBeLessThan(TOLERANCE)
      })
    }
  })
}

test("rows that are taken many times get the whole of their gradient, however many threads add it", async () => {
  const [rows, width, taken] = [4, 192, 4096]
  const g = new GraphBuilder()
  const table = g.input("table", "f32", [rows, width])
  const ids = g.input("ids", "i64", [taken])
  const loss = g.reduceSum(g.gather(table, ids), [0, 1])
  g.output("gradient", gradients(g, loss, [table])[0]!)
  const threaded = await native.open({ threads: 2 })
  const model = encodeModel(lower(g.finish("rows"), threaded.lowering))
  const session = await threaded.createSession({ model, weights: null })
  const feeds = {
    table: f32([rows, width], new Float32Array(rows * width)),
    ids: i64(
      [taken],
      Array.from({ length: taken }, (_, i) => i % rows),
    ),
  }
  for (let run = 0; run < 5; run++) {
    const { gradient } = await session.run(feeds)
    expect((gradient!.data as Float32Array).filter((sum) => sum !== taken / rows)).toHaveLength(0)
  }
  await session.dispose()
  await threaded.dispose()
})
