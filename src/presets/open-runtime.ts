/**
 * @module The backends of a full installation, and the choice among them.
 */
import { chooseBackend } from "../runtime/choose.ts"
import { native } from "../runtime/native.ts"
import type { Backend, BackendName, Runtime, RuntimeOptions } from "../runtime/runtime.ts"
import { wasm } from "../runtime/wasm.ts"
import { webgpu } from "../runtime/webgpu.ts"

/**
 * Every backend, in the order that `auto` tries them. WebGPU comes last, because outside of browsers this installation
 * can't see what its adapter is: often a driver without a GPU, far slower than a processor by WebAssembly. Its sums differ
 * from run to run besides, so that no run can be repeated to the byte; and not every method and layout is checked on it,
 * as they all are on both others. Whoever has a GPU asks for it by name.
 */
export const backends: readonly Backend[] = [native, wasm, webgpu]

/** Opens a backend by name, or the best one that runs here. @returns the runtime, and why it was picked */
export async function openRuntime(
  name: BackendName | "auto",
  options: RuntimeOptions = {},
): Promise<{ readonly runtime: Runtime; readonly why: string }> {
  const { backend, why } = await chooseBackend(name, backends)
  return { runtime: await backend.open(options), why }
}
