/**
 * @module Whether a base is small: then one thread of WebAssembly computes its tokens as soon as two do, and starts a third sooner,
 * as its engine is compiled in two parts (`runtime/split-wasm.ts`).
 */
import { fsFolder } from "../store/folder.ts"

/**
 * Bytes of weights, as files hold them, below which a base is small: the embedded one has 5.5 MB, one of 135 million parameters
 * 270, and takes two threads two thirds of the time of one.
 */
const SMALL_BYTES = 32e6

/** Whether a base's folder holds few weights. What can't be read is left to whoever opens it to report. */
export async function isSmallBase(path: string): Promise<boolean> {
  const folder = fsFolder(path)
  try {
    const files = (await folder.list()).filter((name) => name.endsWith(".safetensors"))
    const sizes = await Promise.all(files.map((name) => folder.size(name)))
    return sizes.reduce((sum, size) => sum + size, 0) < SMALL_BYTES
  } catch {
    return false
  }
}
