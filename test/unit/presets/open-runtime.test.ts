/**
 * @module The backends of a full installation.
 */
import { expect, test } from "bun:test"
import { backends, openRuntime } from "../../../src/presets/open-runtime.ts"

test("processors come first, and WebGPU, whose adapter may be no GPU, last", () => {
  expect(backends.map(({ name }) => name)).toEqual(["native", "wasm", "webgpu"])
})

test("auto opens the native engine where it can be loaded, and says why", async () => {
  const { runtime, why } = await openRuntime("auto", { threads: 1 })
  expect(runtime.name).toBe("native")
  expect(why).toBe("backend native: the fastest that runs here")
  await runtime.dispose()
})
