/**
 * @module The `native` backend: onnxruntime-node on the CPU. Models are opened by path, beside their weights, so that
 * every session maps the same file and shares its pages; repacking of weights is off for the same reason.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { link, mkdtemp, open, realpath, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { EspalierError, messageOf } from "../core/errors.ts"
import { onnxruntimeNode } from "./onnxruntime-node.ts"
import { engineError, engineMessage, ortSession } from "./ort.ts"
import type { Backend, FrozenWeights, Runtime, RuntimeOptions, SessionSpec } from "./runtime.ts"
import { defaultThreads } from "./threads.ts"

/**
 * Microseconds that the engine's threads look for more work before they sleep. Between the operators of a run there is always
 * some sooner, and a thread that is asleep costs the next one dearly; between two runs they would look for a millisecond and
 * longer, and hold cores that whatever else goes on wants: with 2 threads on 2 cores the thread that gives them work lost its core
 * to one of them for 4 ms now and then. With 50 a step of the embedded base takes a sixth longer, with 150 as long as ever.
 */
const SPIN_MICROSECONDS = 150

export const native: Backend = {
  name: "native",
  async probe() {
    try {
      await onnxruntimeNode()
      return { ok: true }
    } catch (error) {
      return { ok: false, reason: `onnxruntime-node can't be loaded: ${engineMessage(error)}` }
    }
  },
  open: (options) => openNative(options),
}

async function openNative({ threads = defaultThreads(), workFolder }: RuntimeOptions = {}): Promise<Runtime> {
  const ort = await onnxruntimeNode().catch((cause: unknown) => {
    throw new EspalierError("unavailable", `Backend native can't run here: ${messageOf(cause)}`, {
      cause,
      hint: "Use --backend wasm",
    })
  })
  const made = new Map<string, Promise<string>>()
  const create = async ({ model, weights, prepack = false }: SessionSpec) => {
    const options = {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Nothing but what ends the process: errors are thrown as well, and belong to whoever catches them.
      logSeverityLevel: 4 as const,
      // A planned block for each set of sizes held a third more memory at the peak of a training step, and saved no time.
      enableMemPattern: false,
      // Values must be texts: the binding drops numbers without a word.
      extra: {
        session: {
          disable_prepacking: prepack ? "0" : "1",
          intra_op: { spin_duration_us: String(SPIN_MICROSECONDS) },
        },
      },
    }
    if (!weights) return ort.InferenceSession.create(model, options)
    return ort.InferenceSession.create(await placeModel(model, weights, workFolder, made), options)
  }
  return {
    name: "native",
    detail: `onnxruntime-node ${ort.env.versions?.node ?? ort.env.versions?.common ?? ""}, CPU, ${threads} thread${threads === 1 ? "" : "s"}`,
    lowering: "fused",
    threads,
    deterministic: true,
    integerProducts: true,
    async createSession(spec) {
      try {
        return ortSession(await create(spec), { Tensor: ort.Tensor, writesInPlace: true })
      } catch (cause) {
        throw engineError("a graph", cause)
      }
    },
    async dispose() {
      for (const folder of made.values()) {
        await folder.then((path) => rm(path, { recursive: true, force: true })).catch(() => {})
      }
      made.clear()
    },
  }
}

/**
 * Writes a model beside its weights, under the name of its content, and gives its path. Where nothing can be written
 * there (a cache that is mounted read-only), where the file has another name than models know it by, and where weights
 * lie in memory only, they are put once into a folder of this runtime's own, which goes when the runtime does.
 */
async function placeModel(
  model: Uint8Array,
  weights: FrozenWeights,
  workFolder: string | undefined,
  own: Map<string, Promise<string>>,
): Promise<string> {
  const name = `graph-${createHash("sha256").update(model).digest("hex").slice(0, 32)}.onnx`
  const { hash, location, path } = weights
  if (path !== null && basename(path) === location && !own.has(hash)) {
    try {
      return await writeOnce(join(dirname(path), name), model)
    } catch (error) {
      if (!["EACCES", "EPERM", "EROFS"].includes((error as { code?: string }).code ?? "")) throw error
    }
  }
  const folder = own.get(hash) ?? ownFolder(weights, workFolder ?? tmpdir())
  own.set(hash, folder)
  // What failed, by a full disk say, is tried again by the next session.
  folder.catch(() => own.delete(hash))
  return writeOnce(join(await folder, name), model)
}

/** A new folder with the weights in it, as another name of the same file where the file system can do that. */
async function ownFolder(weights: FrozenWeights, parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, "espalier-"))
  const place = join(folder, weights.location)
  const copy = async () => writeFile(place, await weights.bytes())
  try {
    // The engine refuses symbolic links to weights, but not hard ones.
    await (weights.path === null ? copy() : link(await realpath(weights.path), place).catch(copy))
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  return folder
}

async function writeOnce(path: string, model: Uint8Array): Promise<string> {
  if (existsSync(path)) return path
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  const file = await open(temporary, "wx")
  try {
    try {
      await file.writeFile(model)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return path
}
