/**
 * @module The backends of a full installation, and the choice among them.
 */
import { chooseBackend } from "../runtime/choose.ts"
import { native } from "../runtime/native.ts"
import type { Backend, BackendName, Runtime, RuntimeOptions } from "../runtime/runtime.ts"
import { wasm } from "../runtime/wasm.ts"
import { webgpu } from "../runtime/webgpu.ts"

/** Every backend, in the order that `auto` tries them. */
export const backends: readonly Backend[] = [native, webgpu, wasm]

/** Opens a backend by name, or the best one that runs here. @returns the runtime, and why it was picked */
export async function openRuntime(
  name: BackendName | "auto",
  options: RuntimeOptions = {},
): Promise<{ readonly runtime: Runtime; readonly why: string }> {
  const { backend, why } = await chooseBackend(name, backends)
  return { runtime: await backend.open(options), why }
}
