/**
 * @module Keeps the native engine from reporting to its maker. From 1.29 on, onnxruntime's builds for Linux and macOS send
 * an event per process and session and keep a device id in the user's cache folder, unless the process's environment
 * says otherwise when the library starts (https://github.com/microsoft/onnxruntime/pull/27379). Its WASM build has none.
 *
 * | | what is set in `process.env` reaches native code |
 * |---|---|
 * | Node, Deno: main thread | yes |
 * | Node, Deno: Worker | no, its environment is a copy: the main thread has to set it before the Worker starts |
 * | Bun: any thread | no: libc has to be called, and then it holds for all threads |
 *
 * On Windows the library has event tracing of the system's own, which the system's settings govern and this doesn't.
 */
import process from "node:process"

/** The variable that the library reads once, when it is first loaded. */
const VARIABLE = "ORT_DISABLE_TELEMETRY"

/** Through a name that is no literal: neither other runtimes nor bundlers look for it. */
const BUN_FFI = "bun:ffi"

/** The file that libc is known by. */
const libraries: Readonly<Record<string, string>> = { linux: "libc.so.6", darwin: "libc.dylib" }

/**
 * Asks the native engine to report nothing, unless the environment has a value already: who set one has chosen. It must
 * run before the library is loaded, and on the main thread before a Worker that loads it is started.
 */
export async function disableEngineTelemetry(): Promise<void> {
  let choice: string
  try {
    const known = process.env[VARIABLE]
    choice = known ?? "1"
    if (known === undefined) process.env[VARIABLE] = choice
  } catch {
    // Deno without --allow-env: whoever withholds it decides what the environment says.
    return
  }
  const library = libraries[process.platform]
  if (process.versions["bun"] === undefined || library === undefined) return
  try {
    await setNativeVariable(library, VARIABLE, choice)
  } catch (error) {
    process.emitWarning(
      `onnxruntime-node could not be told to report nothing (${(error as Error).message}); start the process with ${VARIABLE}=1`,
    )
  }
}

/** Calls libc's `setenv` under Bun, whose `process.env` is its own. @throws {Error} If libc can't be called. */
async function setNativeVariable(library: string, name: string, value: string): Promise<void> {
  const { dlopen } = (await import(BUN_FFI)) as {
    dlopen(
      path: string,
      symbols: { setenv: { args: readonly string[]; returns: string } },
    ): { symbols: { setenv(name: Uint8Array, value: Uint8Array, overwrite: number): number }; close(): void }
  }
  const libc = dlopen(library, { setenv: { args: ["ptr", "ptr", "i32"], returns: "i32" } })
  try {
    if (libc.symbols.setenv(cString(name), cString(value), 1) !== 0) throw new Error("setenv failed")
  } finally {
    libc.close()
  }
}

const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`)
