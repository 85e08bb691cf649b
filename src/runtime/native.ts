/**
 * @module The `native` backend: onnxruntime-node on the CPU. Models are opened by path, beside their weights, so that
 * every session maps the same file and shares its pages; repacking of weights is off for the same reason.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { EspalierError, messageOf } from "../core/errors.ts"
import { firstLine, ortSession } from "./ort.ts"
import type { Backend, Runtime, RuntimeOptions, SessionSpec } from "./runtime.ts"
import { defaultThreads } from "./threads.ts"

/** The library, imported when first needed: it is a native module that not every runtime can load. */
const library = async () => {
  const module = await import("onnxruntime-node")
  return "InferenceSession" in module ? module : (module as { default: typeof module }).default
}

export const native: Backend = {
  name: "native",
  async probe() {
    try {
      await library()
      return { ok: true }
    } catch (error) {
      return { ok: false, reason: `onnxruntime-node can't be loaded: ${firstLine(error)}` }
    }
  },
  open: (options) => openNative(options),
}

async function openNative({ threads = defaultThreads(), workFolder }: RuntimeOptions = {}): Promise<Runtime> {
  const ort = await library().catch((cause: unknown) => {
    throw new EspalierError("unavailable", `Backend native can't run here: ${messageOf(cause)}`, {
      cause,
      hint: "Use --backend wasm",
    })
  })
  const made: string[] = []
  const create = async ({ model, weights, prepack = false }: SessionSpec) => {
    const options = {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3 as const,
      // Values must be texts: the binding drops numbers without a word.
      extra: { session: { disable_prepacking: prepack ? "0" : "1" } },
    }
    if (!weights) return ort.InferenceSession.create(model, options)
    const path = await placeModel(model, weights, workFolder, made)
    return ort.InferenceSession.create(path, options)
  }
  return {
    name: "native",
    detail: `onnxruntime-node ${ort.env.versions?.node ?? ort.env.versions?.common ?? ""}, CPU, ${threads} thread${threads === 1 ? "" : "s"}`,
    lowering: "fused",
    threads,
    deterministic: true,
    async createSession(spec) {
      try {
        return ortSession(await create(spec), { Tensor: ort.Tensor, writesInPlace: true })
      } catch (cause) {
        throw new EspalierError("internal", `The engine refused a graph: ${firstLine(cause)}`, { cause })
      }
    },
    async dispose() {
      for (const folder of made) await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Writes a model beside its weights, under the name of its content, and gives its path. Weights that lie in memory only
 * are first written to a folder of this runtime's own, which goes when the runtime does.
 */
async function placeModel(
  model: Uint8Array,
  weights: NonNullable<SessionSpec["weights"]>,
  workFolder: string | undefined,
  made: string[],
): Promise<string> {
  let folder = weights.path ? dirname(weights.path) : null
  if (!folder) {
    const parent = workFolder ?? tmpdir()
    folder = made.find((each) => each.endsWith(weights.hash)) ?? null
    if (!folder) {
      folder = join(await mkdtemp(join(parent, "espalier-")), weights.hash)
      await mkdir(folder)
      await writeFile(join(folder, weights.location), await weights.bytes())
      made.push(folder)
    }
  }
  const path = join(folder, `graph-${createHash("sha256").update(model).digest("hex").slice(0, 32)}.onnx`)
  if (existsSync(path)) return path
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  const file = await open(temporary, "wx")
  try {
    await file.writeFile(model)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  return path
}
