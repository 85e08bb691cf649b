/**
 * @module The way to onnxruntime-node: a native module that not every runtime can load, and that reports to its maker
 * unless it is told not to.
 */
import { disableEngineTelemetry } from "./telemetry.ts"

/** Imports onnxruntime-node with its telemetry off, unless the environment says otherwise. */
export async function onnxruntimeNode() {
  await disableEngineTelemetry()
  const module = await import("onnxruntime-node")
  return "InferenceSession" in module ? module : (module as { default: typeof module }).default
}
