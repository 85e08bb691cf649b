/**
 * @module What a GPU's driver is asked before it trains: the figures it is held to are right, and a backend that gets one
 * derivative wrong is refused although its loss is right.
 */
import { expect, test } from "bun:test"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import { checkGradients, compareGradients, gradientFigures } from "../../src/presets/check-gradients.ts"
import { gradientReference } from "../../src/presets/gradient-reference.ts"
import { native } from "../../src/runtime/native.ts"
import type { Backend, Runtime } from "../../src/runtime/runtime.ts"
import { wasm } from "../../src/runtime/wasm.ts"
import { webgpu } from "../../src/runtime/webgpu.ts"

async function within<T>(backend: Backend, use: (runtime: Runtime) => Promise<T>): Promise<T> {
  const runtime = await backend.open({ threads: 1 })
  try {
    return await use(runtime)
  } finally {
    await runtime.dispose()
  }
}

/** A runtime whose graphs give something else for the outputs of a name. */
const wrongIn = (runtime: Runtime, output: string, wrong: (data: Float32Array) => Float32Array): Runtime => ({
  ...runtime,
  name: "webgpu",
  detail: `wrong in ${output}`,
  async createSession(spec) {
    const session = await runtime.createSession(spec)
    return {
      async run(feeds, into = {}) {
        const found = { ...(await session.run(feeds, into)) } as Record<string, Tensor>
        const tensor = found[output]
        if (!tensor) return found
        const data = wrong(tensor.data as Float32Array)
        into[output]?.data.set(data as never)
        return { ...found, [output]: f32(tensor.shape, data) }
      },
      dispose: () => session.dispose(),
    }
  },
})

for (const backend of [native, wasm]) {
  test(`${backend.name} has the gradients of the reference`, async () => {
    await within(backend, async (runtime) => {
      for (const [name, reference] of Object.entries(gradientReference)) {
        const found = await gradientFigures(runtime, name)
        expect(found.loss).toBeCloseTo(reference.loss, 4)
        expect(Object.keys(found.gradients)).toEqual(Object.keys(reference.gradients))
        for (const [key, { norm, along }] of Object.entries(found.gradients)) {
          expect(Math.abs(norm - reference.gradients[key]!.norm)).toBeLessThan(1e-4)
          expect(Math.abs(along - reference.gradients[key]!.along)).toBeLessThan(1e-4)
        }
      }
      await compareGradients(runtime)
    })
  })
}

const key = "model.layers.0.self_attn.k_proj.weight"

test("a backend with the right loss and one wrong gradient is refused, by name", async () => {
  await within(native, async (runtime) => {
    const halved = wrongIn(runtime, `grad:${key}`, (data) => data.map((x) => x / 2))
    expect((await gradientFigures(halved, "llama")).loss).toBeCloseTo(gradientReference["llama"]!.loss, 4)
    await expect(checkGradients(halved)).rejects.toThrow(
      /^Backend webgpu \(wrong in .*\) computes wrong gradients here: 1 of 29 figures .* the gradient of model\.layers\.0\.self_attn\.k_proj\.weight \(llama\) by/,
    )
    // It stays refused.
    await expect(checkGradients(halved)).rejects.toThrow(/wrong gradients/)
  })
})

test("so is one whose gradients have the right size and another direction, and one that gives no numbers", async () => {
  await within(native, async (runtime) => {
    const turned = wrongIn(runtime, `grad:${key}`, (data) => data.map((x) => -x))
    await expect(compareGradients(turned)).rejects.toThrow(/k_proj/)
    const none = wrongIn(runtime, `grad:${key}`, (data) => data.map(() => Number.NaN))
    await expect(compareGradients(none)).rejects.toThrow(/k_proj/)
  })
})

test("backends that run on a processor are not asked", async () => {
  await within(native, async (runtime) => {
    const halved = wrongIn(runtime, `grad:${key}`, (data) => data.map((x) => x / 2))
    await checkGradients({ ...halved, name: "native" })
  })
})

const found = await webgpu.probe()
if (found.ok) {
  test("webgpu passes", () => within(webgpu, checkGradients), 120_000)
} else test.skipIf(true)(`webgpu passes: ${found.reason}`, () => {})
