/**
 * @module WebAssembly where no bytes may be compiled, as on Cloudflare's workers: there the engine's module is compiled
 * when the script is deployed, and onnxruntime-web, which wants to compile it itself, is handed that one.
 */
import * as ort from "onnxruntime-web"
import { bytesOfSource, type Instantiate } from "./wasm-source.ts"

/** An empty module: what the engine is told its bytes are, so that it fetches none. */
const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])

/**
 * Has onnxruntime-web run `engine` in place of what it would compile. Call it before the backend `wasm` is opened.
 * Instantiating other modules works as before.
 */
export function useCompiledWasm(engine: WebAssembly.Module): void {
  const instantiate = WebAssembly.instantiate as Instantiate
  const replacement: Instantiate = async (source, imports) => {
    if (!isEmptyModule(source)) return instantiate(source, imports)
    return { module: engine, instance: (await instantiate(engine, imports)) as WebAssembly.Instance }
  }
  Object.assign(WebAssembly, { instantiate: replacement })
  ort.env.wasm.wasmBinary = EMPTY
}

/** Whether these are the bytes that stand for the engine, whichever view of them the engine hands over. */
function isEmptyModule(source: WebAssembly.Module | BufferSource): boolean {
  const bytes = bytesOfSource(source)
  return bytes?.length === EMPTY.length && bytes.every((byte, i) => byte === EMPTY[i])
}
