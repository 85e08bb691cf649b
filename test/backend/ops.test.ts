/**
 * @module Every differentiable operator against finite differences, under both lowerings.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
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
