/**
 * @module The webgpu backend, where there is an adapter: on a machine without a GPU, SwiftShader by VK_ICD_FILENAMES.
 */
import { expect, test } from "bun:test"
import { webgpu } from "../../src/runtime/webgpu.ts"
import { runtimeCases } from "../cases/runtime.case.ts"

const found = await webgpu.probe()

test("webgpu opens for the standard lowering, or says why it can't", async () => {
  if (!found.ok) {
    await expect(webgpu.open()).rejects.toThrow(/Backend webgpu can't run here: \S/)
    return
  }
  const runtime = await webgpu.open()
  expect(runtime.lowering).toBe("standard")
  expect(runtime.deterministic).toBe(false)
  await runtime.dispose()
})

if (found.ok) runtimeCases(webgpu)
else test.skipIf(true)(`the webgpu backend: ${found.reason}`, () => {})
