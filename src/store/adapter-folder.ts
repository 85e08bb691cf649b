/**
 * @module Adapter folders in PEFT's layout, as configuration and tensors; what they mean is the methods' business.
 * Our own facts (hashes, seeds, scores) lie in espalier.json beside them, never among PEFT's keys.
 */
import { createHash } from "node:crypto"
import { bytesOf, decodeUtf8, encodeUtf8 } from "../core/bytes.ts"
import { EspalierError, isEspalierError, messageOf } from "../core/errors.ts"
import type { Tensor } from "../core/tensor.ts"
import { parseStrictJson } from "../formats/json-strict.ts"
import { writeSafetensors } from "../formats/safetensors.ts"
import { openWeights, readWeights, WEIGHTS, weightsHashOf, withWeightsHash } from "./adapter-weights.ts"
import { recoverFolder, writeFolderAtomic } from "./atomic.ts"
import { type Beginning, beginningOf, type Folder, fsFolder } from "./folder.ts"

/** The file that makes a folder an adapter. */
export const ADAPTER_CONFIG = "adapter_config.json"
const FACTS = "espalier.json"

/** An adapter as it lies in a folder. */
export interface AdapterFiles {
  /** adapter_config.json. */
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>
  /** espalier.json; null for an adapter made elsewhere. */
  readonly facts: Readonly<Record<string, unknown>> | null
}

/** An adapter that was read, with its content hash. */
export interface ReadAdapter extends AdapterFiles {
  /** sha256 in hex over the configuration and the tensors. */
  readonly hash: string
  readonly sizeBytes: number
  /** Whether espalier.json had a sha256 of the weights file, and it was right; without one nothing was checked. */
  readonly verified: boolean
}

/** Bounds on a folder from outside. */
export interface AdapterLimits {
  /** Of the weights. @default {2 GiB} */
  readonly maxBytes?: number
}

/** Bytes of each JSON file at most. */
const MAX_JSON_BYTES = 2 ** 20
/** How often a folder is read anew that is replaced while it is read. */
const MAX_READS = 5

/**
 * Reads an adapter folder: one version of it, though it be replaced meanwhile.
 * @throws {EspalierError} `invalid_file` naming the file, and the tensor at fault; `too_large` over the limit;
 *   `conflict` if it is replaced again and again.
 */
export async function readAdapterFolder(folder: Folder, limits: AdapterLimits = {}): Promise<ReadAdapter> {
  for (let reads = 1; ; reads++) {
    const files = await openFiles(folder)
    const [outcome] = await Promise.allSettled([understood(folder, files, limits)])
    // A folder that changed is judged by its next reading, whether this one failed or not.
    if (JSON.stringify(files.map(stampOf)) === JSON.stringify(await stampsNow(folder))) return settled(outcome)
    if (reads < MAX_READS) continue
    // What is there and can't be opened looks like what has come since.
    if (files.some(({ status }) => status === "rejected")) settled(outcome)
    throw new EspalierError("conflict", `Folder ${folder.name} was replaced each time it was read`, {
      hint: "Try again when whatever writes it has ended",
    })
  }
}

type Opened = PromiseSettledResult<Beginning>

/**
 * An adapter's files, or what is wrong with each: all of a small file, so that one call of the file system follows another and
 * no more. They are of one version if all have these stamps once they were read.
 */
const openFiles = (folder: Folder): Promise<[weights: Opened, config: Opened, facts: Opened]> =>
  // At once: beside a model that decodes, each answer of the file system may wait for a step to end.
  Promise.allSettled([
    openWeights(folder).then(({ beginning }) => beginning),
    beginningOf(folder, ADAPTER_CONFIG, MAX_JSON_BYTES),
    beginningOf(folder, FACTS, MAX_JSON_BYTES),
  ])

const stampOf = (opened: Opened): string | null => (opened.status === "fulfilled" ? opened.value.stamp : null)

/** Changes when a file of the folder does. */
const stampsNow = (folder: Folder): Promise<(string | null)[]> =>
  Promise.all([WEIGHTS, ADAPTER_CONFIG, FACTS].map((file) => folder.stamp(file).catch(() => null)))

function settled<T>(outcome: PromiseSettledResult<T>): T {
  if (outcome.status === "rejected") throw outcome.reason
  return outcome.value
}

async function understood(
  folder: Folder,
  [weights, config, facts]: readonly [Opened, Opened, Opened],
  { maxBytes = 2 ** 31 }: AdapterLimits,
): Promise<ReadAdapter> {
  // Who lacks one is told so before anything else.
  if (config.status === "rejected" || weights.status === "rejected") await checkFiles(folder)
  const beginning = settled(weights)
  if (beginning.size > maxBytes)
    throw new EspalierError("too_large", `${WEIGHTS} has ${beginning.size} bytes, more than the ${maxBytes} allowed`)
  const settings = objectOf(settled(config), ADAPTER_CONFIG)
  const isMade = facts.status === "fulfilled" || (await folder.list()).includes(FACTS)
  const ours = isMade ? objectOf(settled(facts), FACTS) : null
  const recorded = weightsHashOf(ours, FACTS)
  const tensors = await readWeights({ folder, beginning }, recorded, FACTS)
  const sizeBytes = [...tensors.values()].reduce((total, { data }) => total + data.byteLength, 0)
  const hash = adapterHash(settings, tensors)
  return { config: settings, tensors, facts: ours, hash, sizeBytes, verified: recorded !== null }
}

/** Whether a folder has what makes it an adapter's. */
async function checkFiles(folder: Folder): Promise<void> {
  const files = await folder.list().catch((cause: unknown) => {
    throw new EspalierError("not_found", `There is no adapter folder ${folder.name}`, { cause })
  })
  if (!files.includes(ADAPTER_CONFIG))
    throw new EspalierError("invalid_file", `Folder ${folder.name} has no ${ADAPTER_CONFIG}`, {
      hint: "An adapter folder has PEFT's layout: adapter_config.json and adapter_model.safetensors",
    })
  if (!files.includes(WEIGHTS)) {
    const pickle = files.includes("adapter_model.bin")
    throw new EspalierError(
      "invalid_file",
      `Folder ${folder.name} has no ${WEIGHTS}`,
      pickle ? { hint: "Pickled weights can run code and are never read: save the adapter as safetensors" } : {},
    )
  }
}

/** Opens a folder on disk, putting back what a crash left moved aside. */
export async function openAdapterFolder(path: string, limits?: AdapterLimits): Promise<ReadAdapter> {
  const recovering = recoverFolder(path)
  const [read] = await Promise.allSettled([readAdapterFolder(fsFolder(path), limits), recovering])
  await recovering
  // Only what is not there can have been put back.
  if (read.status === "rejected" && isEspalierError(read.reason) && read.reason.code === "not_found")
    return readAdapterFolder(fsFolder(path), limits)
  return settled(read)
}

/** An adapter folder's files by name. Facts get the sha256 of the weights file under `files`. */
export function adapterFolderFiles(
  { config, tensors, facts }: AdapterFiles,
  readme: string,
): ReadonlyMap<string, Uint8Array> {
  const json = (value: unknown) => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)
  const weights = writeSafetensors(tensors)
  return new Map([
    [ADAPTER_CONFIG, json(config)],
    [WEIGHTS, weights],
    ...(facts ? ([[FACTS, json(withWeightsHash(facts, weights))]] as const) : []),
    ["README.md", encodeUtf8(readme)],
  ])
}

/** Writes an adapter folder whole or not at all, in place of one that may be there. */
export async function writeAdapterFolder(path: string, files: AdapterFiles, readme: string): Promise<void> {
  await writeFolderAtomic(path, adapterFolderFiles(files, readme))
}

/** Objects with their keys in order, at every depth. */
const sortKeys = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** sha256 in hex over a configuration (keys sorted) and tensors (names sorted). */
export function adapterHash(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, Tensor<"f32">>,
): string {
  const hash = createHash("sha256")
  hash.update(JSON.stringify(config, sortKeys))
  for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`\0${name}\0${shape.join()}\0`)
    hash.update(bytesOf(data))
  }
  return hash.digest("hex")
}

function objectOf({ size, bytes }: Beginning, file: string): Record<string, unknown> {
  if (size > MAX_JSON_BYTES)
    throw new EspalierError("too_large", `${file} has ${size} bytes, more than the ${MAX_JSON_BYTES} allowed`)
  let json: unknown
  try {
    json = parseStrictJson(decodeUtf8(bytes))
  } catch (cause) {
    throw new EspalierError("invalid_file", `${file} is not valid JSON: ${messageOf(cause)}`, { cause })
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new EspalierError("invalid_file", `${file}: expected a JSON object`)
  return json as Record<string, unknown>
}
