/**
 * @module Opens a base folder: its architecture, its weights as one frozen blob, its tokenizer, its stop tokens.
 */
import { resolve } from "node:path"
import { decodeUtf8 } from "../core/bytes.ts"
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { parseGenerationConfig } from "../formats/hf-config.ts"
import { type Architecture, headWeight, type ModelConfig } from "../models/architecture.ts"
import type { Base } from "../models/base.ts"
import { architectureOf, architectures } from "../models/mod.ts"
import { heldWeights, type Quantization } from "../models/quantization.ts"
import { baseShape } from "../plan/base-shape.ts"
import { cacheFolder } from "../store/cache.ts"
import { underNames } from "../store/checkpoint-names.ts"
import { type Checkpoint, openCheckpoint } from "../store/checkpoint-reader.ts"
import { type Folder, fsFolder } from "../store/folder.ts"
import { idOfSnapshot } from "../store/hub/id-of-snapshot.ts"
import { packWeights } from "../store/weights-file.ts"
import { loadTokenizer } from "../text/tokenizer.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"

/** A base with what is needed to talk to it. */
export interface OpenBase {
  readonly base: Base
  /** Null where the folder brings no tokenizer.json. */
  readonly tokenizer: Tokenizer | null
  /** Tokens that end an answer. */
  readonly eosIds: readonly number[]
  /** config.json as it stands in the folder. */
  readonly configJson: Readonly<Record<string, unknown>>
  readonly folder: Folder
  /** The folder's tensors, under the names that the architecture knows them by. */
  readonly checkpoint: Checkpoint
}

/** Settings of {@link openBase}. */
export interface OpenBaseOptions {
  readonly architectures?: readonly Architecture[]
  /** Where the weights blob is kept between runs; null keeps it in memory. @default the cache folder */
  readonly cacheFolder?: string | null
  /** Hold the weights in fewer bits. @default as f32 */
  readonly quantize?: Quantization
}

/**
 * Opens a Hugging Face folder on disk.
 * @throws {EspalierError} `not_found` if there is no such folder, `invalid_file` naming a file or tensor that is wrong,
 *   `unsupported` for an architecture that is not known.
 */
export async function openBase(path: string, options: OpenBaseOptions = {}): Promise<OpenBase> {
  return openBaseFolder(namedFolder(path), path, options)
}

/**
 * Opens a base from wherever its files lie.
 * @param shown what to call the folder in messages
 * @throws {EspalierError} See {@link openBase}.
 */
export async function openBaseFolder(
  folder: Folder,
  shown: string = folder.name,
  options: OpenBaseOptions = {},
): Promise<OpenBase> {
  const { files, configJson, architecture, checkpoint, config } = await readFolder(folder, shown, options.architectures)
  const { quantize } = options
  const packed = await packWeights(checkpoint, architecture.weights(config), {
    ...(quantize && { held: heldWeights(architecture, config, quantize) }),
    cacheFolder: options.cacheFolder === undefined ? cacheFolder(process.env) : options.cacheFolder,
  })
  const tokenizer = files.includes("tokenizer.json") ? await openTokenizer(folder, files) : null
  const base: Base = {
    name: folder.name,
    architecture,
    config,
    layout: packed.layout,
    weights: packed.weights,
    ...(quantize && { quantization: quantize }),
    hash: await checkpoint.hash(),
    read: (name) => checkpoint.readF32(name),
  }
  return { base, tokenizer, eosIds: await eosOf(folder, files, configJson, tokenizer), configJson, folder, checkpoint }
}

/**
 * Opens a base whose weights are read one by one and computed with by nobody: what it takes to read adapters of a base that is
 * open elsewhere.
 * @param hash the base's, which is not computed anew
 * @throws {EspalierError} See {@link openBase}.
 */
export async function openBaseToRead(path: string, hash: string): Promise<Pick<OpenBase, "base" | "tokenizer">> {
  const folder = namedFolder(path)
  const { files, architecture, checkpoint, config } = await readFolder(folder, path)
  const shape = baseShape(folder.name, architecture, config, null)
  return {
    base: { ...shape, hash, read: (name) => checkpoint.readF32(name) },
    tokenizer: files.includes("tokenizer.json") ? await openTokenizer(folder, files) : null,
  }
}

/** A folder on disk; one of the hub's cache is called by the model's id. */
function namedFolder(path: string): Folder {
  const folder = fsFolder(resolve(path))
  const id = idOfSnapshot(resolve(path))
  return id === null ? folder : { ...folder, name: id }
}

/** What a base's folder says, before anything is done with its weights. */
async function readFolder(folder: Folder, shown: string, known: readonly Architecture[] = architectures) {
  const files = await filesOf(folder, shown)
  if (!files.includes("config.json")) {
    throw new EspalierError("not_found", `Base folder ${shown} has no config.json`, {
      param: "base",
      hint: "Point --base at a Hugging Face model folder",
    })
  }
  const configJson = await readJson(folder, "config.json")
  const architecture = architectureOf(configJson, known)
  const checkpoint = underNames(await openCheckpoint(folder), architecture.tokenEmbedding)
  const config = await configOf(architecture, configJson, checkpoint)
  return { files, configJson, architecture, checkpoint, config }
}

/**
 * The same base with its weights held as f16, where the checkpoint has them so, and nothing is lost: for sessions that are to take half
 * the memory. Any other is given back as it is.
 */
export async function openAsHalves(open: OpenBase): Promise<OpenBase> {
  const { base, checkpoint } = open
  const { architecture, config } = base
  const held = heldWeights(architecture, config, "f16")
  for (const name of held.keys()) if (checkpoint.tensors.get(name)?.dtype !== "f16") return open
  const { layout, weights } = await packWeights(checkpoint, architecture.weights(config), { held, cacheFolder: null })
  return { ...open, base: { ...base, layout, weights, quantization: "f16" } }
}

/**
 * The configuration; untied where the checkpoint has an output layer that is not the token embedding, whatever config.json
 * says: the reference ties only what is equal.
 */
async function configOf(
  architecture: Architecture,
  json: Record<string, unknown>,
  checkpoint: Checkpoint,
): Promise<ModelConfig> {
  const config = architecture.parseConfig(json)
  if (!config.tiedHead || !checkpoint.tensors.has(HEAD)) return config
  if (await checkpoint.equal(HEAD, headWeight(architecture, config))) return config
  return architecture.parseConfig({ ...json, tie_word_embeddings: false })
}

const HEAD = "lm_head.weight"

async function filesOf(folder: Folder, path: string): Promise<string[]> {
  try {
    return await folder.list()
  } catch (cause) {
    if (isEspalierError(cause)) throw cause
    throw new EspalierError("not_found", `There is no base folder ${path}`, { param: "base", cause })
  }
}

async function readJson(folder: Folder, file: string): Promise<Record<string, unknown>> {
  const text = decodeUtf8(await folder.read(file))
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new EspalierError("invalid_file", `${file} is not valid JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new EspalierError("invalid_file", `${file}: expected a JSON object`)
  return json as Record<string, unknown>
}

/** A base's tokenizer alone; null where the folder brings none. @throws {EspalierError} `not_found`, `invalid_file` */
export async function openBaseTokenizer(path: string): Promise<Tokenizer | null> {
  const folder = fsFolder(resolve(path))
  const files = await filesOf(folder, path)
  return files.includes("tokenizer.json") ? openTokenizer(folder, files) : null
}

async function openTokenizer(folder: Folder, files: readonly string[]): Promise<Tokenizer> {
  const tokenizerJson = await readJson(folder, "tokenizer.json")
  return loadTokenizer({
    tokenizerJson,
    ...(files.includes("tokenizer_config.json") && {
      tokenizerConfig: await readJson(folder, "tokenizer_config.json"),
    }),
    ...(files.includes("chat_template.jinja") && {
      chatTemplate: decodeUtf8(await folder.read("chat_template.jinja")),
    }),
  })
}

/** Stop tokens: generation_config.json's, else config.json's, else the tokenizer's. */
async function eosOf(
  folder: Folder,
  files: readonly string[],
  config: Record<string, unknown>,
  tokenizer: Tokenizer | null,
): Promise<number[]> {
  const found = new Set<number>()
  const sources = files.includes("generation_config.json")
    ? [await readJson(folder, "generation_config.json"), config]
    : [config]
  for (const source of sources) for (const id of parseGenerationConfig(source).eosIds) found.add(id)
  // A chat model's end-of-turn token is often the tokenizer's eos, and not the base's.
  if (tokenizer?.eosId != null) found.add(tokenizer.eosId)
  return [...found]
}
