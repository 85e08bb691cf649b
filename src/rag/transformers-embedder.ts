/**
 * @module An embedder out of a feature-extraction model that transformers.js runs: `@huggingface/transformers`, or its older
 * version `@xenova/transformers` where only that is installed. Neither is a dependency.
 */
import { EspalierError, messageOf } from "../core/errors.ts"
import { type Embedder, unit } from "./embedder.ts"

/** What is used of a pipeline. */
export type ExtractFeatures = (
  texts: readonly string[],
  options: { readonly pooling: "mean" | "cls"; readonly normalize: boolean },
) => Promise<{ readonly data: ArrayLike<number>; readonly dims: readonly number[] }>

/** What is used of the package. */
interface TransformersPackage {
  pipeline(task: "feature-extraction", model: string, options?: object): Promise<ExtractFeatures>
  readonly env: { localModelPath: string }
}

/** A model in a folder. */
export interface LocalModel {
  /** The folder that the model's lies in. */
  readonly root: string
  readonly name: string
  /** Whether its weights are `onnx/model_quantized.onnx`. */
  readonly quantized: boolean
  /** Of its weights. */
  readonly sha256: string
}

/** How a model is opened. */
export interface TransformersOptions {
  /** Where it lies, if not on the hub. */
  readonly local?: LocalModel | null
  /** Gives the package; for tests. */
  readonly load?: () => Promise<TransformersPackage>
}

/** The packages in the order that they are tried. */
const packages = ["@huggingface/transformers", "@xenova/transformers"] as const

/** Texts of one run: a long list would need the memory of its longest text for all. */
const TOGETHER = 16

/**
 * Cosines of sentence models: unrelated texts have some 0.2, a question and its answer 0.6 and more.
 */
const [UNRELATED, SURE] = [0.2, 0.6]

/**
 * Opens a model by its id or its folder.
 * @throws {EspalierError} `unavailable` if neither package is installed, `not_found` if the model can't be loaded
 */
export async function transformersEmbedder(
  model: string,
  { local = null, load = () => installed() }: TransformersOptions = {},
): Promise<Embedder> {
  const transformers = await load()
  let extract: ExtractFeatures
  try {
    extract = await (local ? openLocal(transformers, local) : transformers.pipeline("feature-extraction", model))
  } catch (cause) {
    throw new EspalierError("not_found", `The embedder ${model} can't be loaded: ${messageOf(cause)}`, {
      hint: "Give the id of a feature-extraction model, or a folder with its config.json, tokenizer.json and onnx/",
      param: "embedder",
      cause,
    })
  }
  const run = async (texts: readonly string[]): Promise<Float32Array[]> => {
    const { data, dims } = await extract([...texts], { pooling: "mean", normalize: true })
    const size = dims.at(-1)!
    const values = Float32Array.from(data)
    return texts.map((_, i) => unit(values.subarray(i * size, (i + 1) * size)))
  }
  const [probe] = await run(["probe"])
  return {
    name: `transformers.js ${local ? `${local.name} ${local.sha256.slice(0, 12)}` : model}`,
    dimensions: probe!.length,
    async embed(texts) {
      const vectors: Float32Array[] = []
      for (let i = 0; i < texts.length; i += TOGETHER) vectors.push(...(await run(texts.slice(i, i + TOGETHER))))
      return vectors
    },
    relevance: (cosine) => Math.min(1, Math.max(0, (cosine - UNRELATED) / (SURE - UNRELATED))),
  }
}

/** Opens a folder, which both versions look for below a path of their own; the network is not asked. */
async function openLocal({ pipeline, env }: TransformersPackage, local: LocalModel): Promise<ExtractFeatures> {
  const before = env.localModelPath
  env.localModelPath = local.root
  try {
    // Version 4 goes by `dtype`, version 2 by `quantized`.
    const weights = { dtype: local.quantized ? "q8" : "fp32", quantized: local.quantized }
    return await pipeline("feature-extraction", local.name, { local_files_only: true, ...weights })
  } finally {
    env.localModelPath = before
  }
}

/** The first of the packages that is there. @param open imports one; for tests */
export async function installed(
  open: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<TransformersPackage> {
  for (const name of packages) {
    try {
      return (await open(name)) as TransformersPackage
    } catch (error) {
      if (!/cannot find|not found|resolve/i.test(messageOf(error))) throw error
    }
  }
  throw new EspalierError("unavailable", "An embedder of its own needs transformers.js, which is not installed", {
    hint: "npm install @huggingface/transformers, or search by words, or by the base's states (--embedder base)",
    param: "embedder",
  })
}
