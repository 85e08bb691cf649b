/**
 * @module The engine's WebAssembly as a module that was compiled before.
 */
import { afterEach, expect, test } from "bun:test"
import * as ort from "onnxruntime-web"
import { useCompiledWasm } from "../../../src/runtime/compiled-wasm.ts"

const { instantiate } = WebAssembly
const { wasmBinary } = ort.env.wasm
afterEach(() => {
  Object.assign(WebAssembly, { instantiate })
  if (wasmBinary === undefined) delete ort.env.wasm.wasmBinary
  else ort.env.wasm.wasmBinary = wasmBinary
})

/** (module (func (export "f") (result i32) i32.const 7)) */
const seven = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 7, 11,
])
const resultOf = (instance: WebAssembly.Instance): number => (instance.exports["f"] as () => number)()

test("what the engine would compile is replaced, and nothing else", async () => {
  useCompiledWasm(await WebAssembly.compile(seven))
  const asEngine = await WebAssembly.instantiate(ort.env.wasm.wasmBinary as Uint8Array<ArrayBuffer>, {})
  expect(resultOf(asEngine.instance)).toBe(7)
  const buffer = (ort.env.wasm.wasmBinary as Uint8Array<ArrayBuffer>).slice().buffer
  expect(resultOf((await WebAssembly.instantiate(buffer, {})).instance)).toBe(7)
  const own = await WebAssembly.instantiate(seven, {})
  expect(resultOf(own.instance)).toBe(7)
  const module = await WebAssembly.instantiate(await WebAssembly.compile(seven))
  expect(resultOf(module)).toBe(7)
})
