/**
 * @module WebGPU of Deno itself, without native code: onnxruntime-web over `navigator.gpu`. On a machine without a GPU it
 * runs on lavapipe, a driver of Mesa's:
 * `VK_ICD_FILENAMES=/usr/share/vulkan/icd.d/lvp_icd.x86_64.json deno task test:webgpu`. Other programs may be run
 * for one test, which reads what the engine says of its graphs in a process of its own.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { env } from "onnxruntime-web/webgpu"
import { methods } from "../../../adapters/mod.ts"
import { runParity } from "../../../src/eval/parity.ts"
import { diskParityCase, writeParityHere } from "../../../src/eval/parity-case.ts"
import { checkGradients } from "../../../src/presets/check-gradients.ts"
import { openBaseFolder } from "../../../src/presets/open-base.ts"
import { wasm } from "../../../src/runtime/wasm.ts"
import { webgpu } from "../../../src/runtime/webgpu.ts"
import { graphDecoder } from "../../../src/serve/graph-decoder.ts"
import { fsFolder } from "../../../src/store/folder.ts"
import { decodingScenario } from "../../support/decoding-scenario.ts"
import { heldFixture } from "../../support/held-bases.ts"
import { loraGradients } from "../../support/lora-step.ts"
import { expectOnGpu, placedGraphs, placements } from "../../support/placement.ts"
import { grantedOf } from "./permissions.ts"

const placeOf = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

test("native code, the network and writing are not allowed", async () => {
  assert.deepEqual(await grantedOf(["ffi", "net", "write", "sys"]), [])
})

test("the GPU is asked through navigator.gpu, and its gradients are right", async () => {
  const runtime = await webgpu.open()
  assert.match(runtime.detail, /^onnxruntime-web/)
  await checkGradients(runtime)
  await runtime.dispose()
})

for (const method of ["lora", "ia3"])
  test(`${method} is as PyTorch and PEFT have it: losses, logits, adapters both ways`, async () => {
    const runtime = await webgpu.open()
    const wrong: string[] = []
    let right = 0
    await runParity(await diskParityCase(placeOf("test/fixtures/parity/llama")), {
      runtime,
      methods,
      openBase: async (folder) => (await openBaseFolder(folder, folder.name, { cacheFolder: null })).base,
      only: [method],
      write: writeParityHere,
      report: ({ method, check, ok, max_abs_diff }) => {
        if (ok === true) right++
        else wrong.push(`${method} ${check}: ${max_abs_diff ?? ok}`)
      },
    })
    await runtime.dispose()
    assert.deepEqual(wrong, [])
    assert.ok(right >= 6, `Only ${right} checks were made`)
  })

test("weights held as f16 give the loss, the gradients and the logits of an f32 base of what is left of them", async () => {
  const { held, rounded } = await heldFixture("llama", "f16")
  const results: Float32Array[] = []
  for (const [backend, base] of [
    [wasm, rounded],
    [webgpu, held],
  ] as const) {
    const runtime = await backend.open({ threads: 1 })
    const { loss, gradients } = await loraGradients(runtime, base)
    results.push(Float32Array.of(loss, ...gradients, ...(await decodingScenario(runtime, base))))
    await runtime.dispose()
  }
  const [wanted, found] = results as [Float32Array, Float32Array]
  assert.equal(found.length, wanted.length)
  assert.ok(found.every((x, i) => Math.abs(x - wanted[i]!) < 1e-4))
})

test("sequences come and go, on adapters, with caches on the GPU, as WebAssembly decodes them", async () => {
  const folder = fsFolder(placeOf("test/fixtures/parity/llama/base"))
  const { base } = await openBaseFolder(folder, folder.name, { cacheFolder: null })
  const results: Float32Array[] = []
  for (const backend of [wasm, webgpu]) {
    const runtime = await backend.open({ threads: 1 })
    results.push(await decodingScenario(runtime, base))
    await runtime.dispose()
  }
  const [wanted, found] = results as [Float32Array, Float32Array]
  assert.equal(found.length, wanted.length)
  assert.ok(found.every((x, i) => Math.abs(x - wanted[i]!) < 1e-4))
})

test("training and decoding may go on at once", async () => {
  const { f32: base } = await heldFixture("llama", "f16")
  const runtime = await webgpu.open()
  const alone = await loraGradients(runtime, base)
  const decode = async (): Promise<number[]> => {
    const decoder = await graphDecoder({ runtime, base })
    const sequence = await decoder.open(null, 16)
    const logits: number[] = []
    for (let i = 0; i < 16; i++) logits.push((await sequence.append([3 + i]))[0]!)
    await decoder.dispose()
    return logits
  }
  const decoded = await decode()
  const [beside, decodedBeside] = await Promise.all([loraGradients(runtime, base), decode()])
  assert.equal(beside.loss, alone.loss)
  assert.deepEqual(decodedBeside, decoded)
  await runtime.dispose()
})

test("everything but sizes is computed on the GPU", async () => {
  const graphs = placedGraphs(["lora", "prefix_tuning", "full"], ["llama", "gpt2", "gemma2"])
  expectOnGpu(graphs, await placements("web", graphs, ["run", "--no-check", "--allow-read", "--allow-env"]))
})

// The last one: this process has no other device after it.
test("what a lost GPU fails says so, as does whoever is asked afterwards", async () => {
  const { f32: base } = await heldFixture("llama", "f16")
  const runtime = await webgpu.open()
  const decoder = await graphDecoder({ runtime, base })
  const sequence = await decoder.open(null, 16)
  await sequence.append([3, 4])
  runtime.check!()
  const device = (await env.webgpu.device) as unknown as { destroy(): void }
  device.destroy()
  const gone = { code: "unavailable", message: /^The GPU was lost: / }
  await assert.rejects(sequence.append([5]), gone)
  await assert.rejects(loraGradients(runtime, base), gone)
  assert.throws(() => runtime.check!(), gone)
  await decoder.dispose()
  await runtime.dispose()
})
