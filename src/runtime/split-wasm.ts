/**
 * @module onnxruntime-web's engine with the part of it that answering needs compiled first, and the rest when it is first called.
 * Compiling is what a process waits for before all else: JavaScriptCore, on which Bun runs, translates each function of a
 * module before the module can be had. Of the engine's 14 MB, opening a base and answering executes a third
 * (`hot-functions.ts`).
 */
import { freeNow } from "../core/bytes.ts"
import { sha256Hex } from "../core/hash.ts"
import { type HotFunctions, hotFunctions } from "./hot-functions.ts"
import { SHARED, type SplitEngine, splitEngine } from "./split-engine.ts"
import { outlineOf } from "./wasm-file.ts"
import { bytesOfSource, type Instantiate } from "./wasm-source.ts"

/** (module (import "" "" (func)) (export "" (func 0))): makes a function of WebAssembly's of one of JavaScript's. */
const BRIDGE = new Uint8Array([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0],
  ...[2, 5, 1, 0, 0, 0, 0, 7, 4, 1, 0, 0, 0],
])

/**
 * Has the engine that onnxruntime-web starts next, on one thread, run in two parts. An engine that isn't the one recorded is
 * instantiated as it is, and so is anything else. Nothing is done on a page's own thread, which may not compile so large a module
 * on the spot.
 */
export function splitNextEngine(recorded: HotFunctions = hotFunctions): void {
  if ("document" in globalThis) return
  const instantiate = WebAssembly.instantiate as Instantiate
  const replacement: Instantiate = async (source, imports) => {
    const bytes = bytesOfSource(source)
    if (bytes?.length !== recorded.engineBytes) return instantiate(source, imports)
    if (WebAssembly.instantiate === (replacement as unknown)) Object.assign(WebAssembly, { instantiate })
    return (await instantiateSplit(bytes, imports ?? {}, recorded)) ?? instantiate(source, imports)
  }
  Object.assign(WebAssembly, { instantiate: replacement })
}

/**
 * Instantiates a module in two parts, of which the second is compiled when something in it is first called.
 * @returns null if the functions were recorded of another module, or it can't be split
 */
export async function instantiateSplit(
  bytes: Uint8Array,
  imports: WebAssembly.Imports,
  { functions, outline }: HotFunctions,
): Promise<WebAssembly.WebAssemblyInstantiatedSource | null> {
  const split = splitEngine(bytes, bytesOfBase64(functions))
  if (!split) return null
  // Compiled on another thread, while this one goes on.
  const compiled = WebAssembly.compile(split.hot as Uint8Array<ArrayBuffer>).catch(() => null)
  const [module, found] = await Promise.all([compiled, sha256Hex(outlineOf(bytes))])
  freeNow(split.hot)
  if (module === null || found !== outline) return null
  return { module, instance: await WebAssembly.instantiate(module, sharedImports(split, imports)) }
}

/** What the hot module imports: what the whole would, and what it shares with the cold one, which the loader among that loads. */
function sharedImports(split: SplitEngine, imports: WebAssembly.Imports): WebAssembly.Imports {
  const { tableSize, loaderSlot } = split
  const table = new WebAssembly.Table({ element: "anyfunc", initial: tableSize, maximum: tableSize })
  const globals = split.globals.map(({ mutable, value }) => new WebAssembly.Global({ value: "i32", mutable }, value))
  const all = { ...imports, [SHARED]: { table, ...globals } }
  let waiting: SplitEngine | null = split
  // Called from within WebAssembly, which can't wait: compiled on the spot.
  const load = (): void => {
    if (!waiting) return
    const bytes = waiting.cold()
    new WebAssembly.Instance(new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>), all)
    globals.at(-1)!.value = 0
    // The whole module's bytes are not held any longer.
    waiting = null
    freeNow(bytes)
  }
  const bridge = new WebAssembly.Instance(new WebAssembly.Module(BRIDGE), { "": { "": load } })
  table.set(loaderSlot, bridge.exports[""] as () => void)
  return all
}

function bytesOfBase64(text: string): Uint8Array {
  const packed = atob(text)
  const bytes = new Uint8Array(packed.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = packed.charCodeAt(i)
  return bytes
}
