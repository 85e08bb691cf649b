/**
 * @module onnxruntime-web over an engine other than its own: one that remembers what was called, say.
 */
import { hotFunctions } from "../../src/runtime/hot-functions.ts"
import { stockEngine } from "./stock-engine.ts"

type Instantiate = (
  source: Uint8Array,
  imports?: WebAssembly.Imports,
) => Promise<WebAssembly.WebAssemblyInstantiatedSource>

/**
 * Has onnxruntime-web run another engine in place of the published one. Call it before a runtime is opened, which is to have one
 * thread: further ones run instances of their own, which nobody can ask.
 * @returns the instances, those that are yet to be made as well
 */
export function runInstead(engine: Uint8Array): readonly WebAssembly.Instance[] {
  const stock = stockEngine()
  // No engine has this length, so none is run in two parts.
  Object.assign(hotFunctions, { engineBytes: 0 })
  const instances: WebAssembly.Instance[] = []
  const instantiate = WebAssembly.instantiate as Instantiate
  const replacement: Instantiate = async (source, imports) => {
    if (source.length !== stock.length) return instantiate(source, imports)
    const made = await instantiate(engine, imports)
    instances.push(made.instance)
    return made
  }
  Object.assign(WebAssembly, { instantiate: replacement })
  return instances
}
