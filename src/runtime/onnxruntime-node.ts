/**
 * @module The way to onnxruntime-node: a native module that not every runtime can load, and that reports to its maker
 * unless it is told not to.
 */
import process from "node:process"

/**
 * Imports onnxruntime-node, with its telemetry off unless the environment says otherwise. From 1.29 on its builds for
 * Linux and macOS send an event per process and session and keep a device id in the user's cache folder
 * (https://github.com/microsoft/onnxruntime/pull/27379). The library reads the variable when it is first loaded.
 *
 * What is set here reaches native code from the main thread of Node and Deno. It does not from their Workers, whose
 * environment is a copy, nor under Bun: there the variable must be in the environment that the process starts with.
 */
export async function onnxruntimeNode() {
  try {
    process.env["ORT_DISABLE_TELEMETRY"] ??= "1"
  } catch {
    // Deno without --allow-env: whoever withholds it decides what the environment says.
  }
  const module = await import("onnxruntime-node")
  return "InferenceSession" in module ? module : (module as { default: typeof module }).default
}
