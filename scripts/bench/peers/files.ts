/**
 * @module The same weights for everybody: a base's folder, and what a peer reads, made of it once and kept in the cache
 * folder between runs.
 */
import { createHash } from "node:crypto"
import { readdir, writeFile } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { exportBase, tokenizerFiles } from "../../../src/cli/adapter-files.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import { SINGLE } from "../../../src/export/format.ts"
import { ggufAdapter } from "../../../src/export/gguf-adapter.ts"
import { ggufBase } from "../../../src/export/gguf-base.ts"
import type { GgufTensor } from "../../../src/formats/gguf/content.ts"
import { decodeGguf } from "../../../src/formats/gguf/decode.ts"
import { readGguf } from "../../../src/formats/gguf/read.ts"
import { ggufTensor, writeGguf } from "../../../src/formats/gguf/write.ts"
import { writeSafetensors } from "../../../src/formats/safetensors.ts"
import type { LoadedAdapter } from "../../../src/forms/form.ts"
import { llama } from "../../../src/models/llama.ts"
import type { Quantization } from "../../../src/models/quantization.ts"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { saveOnnx } from "../../../src/service/save-onnx.ts"
import { buildFolderAtomic, writeFileAtomic } from "../../../src/store/atomic.ts"
import { cacheFolder } from "../../../src/store/cache.ts"
import { trainBpe } from "../../../src/text/bpe-train.ts"
import { SPRIG_SPECIAL_TOKENS, sprigTokenizerConfig } from "../../../src/text/sprig-template.ts"
import { type BaseShape, llamaConfig, uniform } from "../random-source.ts"
import { ggufBlocks } from "./gguf-blocks.ts"
import { ggufTypes, type PeerName } from "./peer.ts"

const kept = (...parts: string[]): string => join(cacheFolder(process.env), "bench", ...parts)
const isThere = async (folder: string): Promise<boolean> => (await readdir(folder).catch(() => [])).length > 0

/** A base of random weights in a folder as Hugging Face has them, with a tokenizer of as many tokens. */
export async function randomFolder(shape: BaseShape): Promise<string> {
  const name = createHash("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 16)
  const path = kept(`random-2-${name}`)
  if (await isThere(path)) return path
  const json = { model_type: "llama", ...llamaConfig(shape), rms_norm_eps: 1e-5, rope_theta: 10_000, eos_token_id: 1 }
  const parts = llama.weights(llama.parseConfig(json)).flatMap(({ parts }) => parts)
  const weights = new Map<string, Tensor<"f32">>(
    parts.map(({ name, shape }) => [name, f32(shape, uniform(name, shape))]),
  )
  await buildFolderAtomic(path, async (folder) => {
    const write = (file: string, value: unknown) => writeFile(join(folder, file), JSON.stringify(value))
    await write("config.json", json)
    await write("tokenizer.json", tokenizerOf(shape.vocab))
    await write("tokenizer_config.json", sprigTokenizerConfig(json.max_position_embeddings))
    await writeFile(join(folder, "model.safetensors"), writeSafetensors(weights))
  })
  return path
}

/** A tokenizer of so many tokens: bytes, and then pairs of tokens that there are. */
function tokenizerOf(vocab: number) {
  const bytes = trainBpe([], { vocabSize: SPRIG_SPECIAL_TOKENS.length + 256, specialTokens: SPRIG_SPECIAL_TOKENS })
  const { vocab: ids } = bytes.model
  // Not the order of an object's keys, which puts digits first.
  const tokens = Object.keys(ids).sort((a, b) => ids[a]! - ids[b]!)
  const letters = tokens.slice(SPRIG_SPECIAL_TOKENS.length)
  const known = new Set(tokens)
  const merges: string[] = []
  for (let i = SPRIG_SPECIAL_TOKENS.length; tokens.length < vocab; i++)
    for (const letter of letters) {
      const token = `${tokens[i]}${letter}`
      if (tokens.length === vocab || known.has(token)) continue
      known.add(token)
      tokens.push(token)
      merges.push(`${tokens[i]} ${letter}`)
    }
  return {
    ...bytes,
    model: { ...bytes.model, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
  }
}

/** What a peer reads of a base: a GGUF file of the same precision, or a folder of transformers.js in f32. */
export async function peerModel(peer: PeerName, folder: string, quantize: Quantization | null): Promise<string> {
  const open = await openBase(folder)
  const key = `${basename(resolve(folder))}-${open.base.hash.slice(0, 16)}`
  if (peer === "transformers.js") {
    const path = kept(`${key}-onnx`)
    if (!(await isThere(path))) await saveOnnx(path, open.base, new Map(), folder)
    return path
  }
  const types = ggufTypes[quantize ?? "f32"]
  const name = `${types.layers}-${types.tables}.gguf`
  const files = kept(`${key}-gguf`)
  const path = join(files, name)
  if ((await readdir(files).catch(() => [] as string[])).includes(name)) return path
  const whole = await ggufBase(open.base, open.configJson, await tokenizerFiles(folder), open.base.read)
  await writeFileAtomic(path, types.layers === "F32" ? whole : inTypes(whole, types))
  return path
}

/** Numbers of files: `general.file_type` of llama.cpp. */
const FILE_TYPES = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 7 } as const

/** The token embedding, and an output layer of its own. */
const TABLES = ["token_embd.weight", "output.weight"]

/** A file of f32 with its matrices in other types. */
function inTypes(bytes: Uint8Array, { layers, tables }: (typeof ggufTypes)["f32"]): Uint8Array {
  const held = (name: string, tensor: GgufTensor): GgufTensor => {
    const type = TABLES.includes(name) ? tables : layers
    const { shape } = tensor
    if (shape.length < 2 || type === "F32") return tensor
    const data = decodeGguf(tensor)
    return type === "F16" ? ggufTensor(f32(shape, data), type) : ggufBlocks(type, shape, data)
  }
  const { metadata, tensors } = readGguf(bytes, "the base")
  return writeGguf({
    metadata: new Map([...metadata, ["general.file_type", { type: "u32", value: FILE_TYPES[layers] }]]),
    tensors: new Map([...tensors].map(([name, tensor]) => [name, held(name, tensor)])),
  })
}

/** LoRAs as GGUF files in a folder. */
export async function peerAdapters(
  open: OpenBase,
  adapters: ReadonlyMap<string, LoadedAdapter>,
  folder: string,
): Promise<[name: string, path: string][]> {
  const paths: [string, string][] = []
  for (const [name, { method, forms }] of adapters) {
    const path = join(folder, `${name}.gguf`)
    const adapter = { name, method, forms, config: {}, tensors: new Map() }
    await writeFile(path, ggufAdapter.write(adapter, exportBase(open)).get(SINGLE)!)
    paths.push([name, path])
  }
  return paths
}
