/** @module Where onnxruntime-web lies, and its WebAssembly: the build without WebGPU, which is the smallest. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of what onnxruntime-web is published as. */
export const engineFolder = fileURLToPath(new URL("../../node_modules/onnxruntime-web/dist", import.meta.url))

/** The engine's bytes, as they are published. */
export const stockEngine = (): Uint8Array =>
  new Uint8Array(readFileSync(join(engineFolder, "ort-wasm-simd-threaded.wasm")))
