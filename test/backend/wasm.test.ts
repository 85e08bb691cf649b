/**
 * @module The wasm backend: what every backend does, and its threads.
 */
import { expect, test } from "bun:test"
import { wasm } from "../../src/runtime/wasm.ts"
import { runtimeCases } from "../cases/runtime.case.ts"

runtimeCases(wasm)

test("the first opening settles how many threads there are, and later ones say so", async () => {
  const first = await wasm.open({ threads: 2 })
  const second = await wasm.open({ threads: first.threads + 1 })
  expect(second.threads).toBe(first.threads)
  expect(second.detail).toBe(first.detail)
})
