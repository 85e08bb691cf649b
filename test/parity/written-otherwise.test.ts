/**
 * @module Bases of the parity cases written in other ways than transformers 5 writes them: settings by their older names,
 * weights without their first part, in shards, with an output layer that is or isn't the token embedding. PyTorch's logits
 * stay what they were.
 */
import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"
import { encodeUtf8 } from "../../src/core/bytes.ts"
import type { Tensor } from "../../src/core/tensor.ts"
import { type ParityCheck, runParity } from "../../src/eval/parity.ts"
import { diskParityCase } from "../../src/eval/parity-case.ts"
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts"
import { openBaseFolder } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { fsFolder, memoryFolder } from "../../src/store/folder.ts"

const { runtime } = await openRuntime("native", { threads: 1 })
afterAll(() => runtime.dispose())

type Json = Record<string, unknown>
type Tensors = Map<string, Tensor>

interface Written {
  readonly config?: (json: Json) => Json
  readonly weights?: (tensors: Tensors) => Tensors
  /** Files beside config.json, in place of one model.safetensors. */
  readonly files?: (tensors: Tensors) => Record<string, Uint8Array>
}

/** A case's checks with its base written otherwise. */
async function checksOf(name: string, { config, weights, files }: Written): Promise<ParityCheck[]> {
  const path = join(import.meta.dir, "..", "fixtures", "parity", name)
  const parity = await diskParityCase(path)
  const base = fsFolder(join(path, "base"))
  const json = JSON.parse(new TextDecoder().decode(await base.read("config.json"))) as Json
  const tensors = readSafetensors(await base.read("model.safetensors"), "model.safetensors") as Tensors
  const written = weights?.(tensors) ?? tensors
  const folder = memoryFolder(
    name,
    new Map([
      ["config.json", encodeUtf8(JSON.stringify(config?.(json) ?? json))],
      ...Object.entries(files?.(written) ?? { "model.safetensors": writeSafetensors(written) }),
    ]),
  )
  const checks: ParityCheck[] = []
  await runParity(
    { name, methods: [], folder: async (...parts) => (parts[0] === "base" ? folder : parity.folder(...parts)) },
    {
      runtime,
      methods: [],
      openBase: async (given) => (await openBaseFolder(given, given.name, { cacheFolder: null })).base,
      only: null,
      write: () => Promise.reject(new Error("There is nothing to write")),
      report: (check) => checks.push(check),
    },
  )
  return checks
}

/** Settings as transformers 4 wrote them: rotary fields beside the others. */
const older = ({ rope_parameters: rope, layer_types: _kinds, ...json }: Json): Json => {
  const { rope_theta, partial_rotary_factor, rope_type, ...scaling } = (rope ?? {}) as Json
  return {
    ...json,
    ...(rope_theta !== undefined && { rope_theta }),
    ...(partial_rotary_factor !== undefined && { partial_rotary_factor }),
    rope_scaling: rope_type === undefined || rope_type === "default" ? null : { type: rope_type, ...scaling },
  }
}

/** Gemma 3's, with one base for layers with a window and one for those without. */
const olderGemma3 = ({ rope_parameters: rope, layer_types: _kinds, ...json }: Json): Json => {
  const { full_attention, sliding_attention } = rope as Record<string, { rope_theta: number }>
  return {
    ...json,
    sliding_window_pattern: 2,
    rope_theta: full_attention!.rope_theta,
    rope_local_base_freq: sliding_attention!.rope_theta,
  }
}

const renamed =
  (to: (name: string) => string) =>
  (tensors: Tensors): Tensors =>
    new Map([...tensors].map(([name, tensor]) => [to(name), tensor]))

/** Weights of a model without its output layer. */
const bare = (prefix: string): Written => ({
  weights: renamed((name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name)),
})

/** The output layer as a tensor of its own, although it is tied. */
const withHead = (tensors: Tensors): Tensors =>
  new Map([...tensors, ["lm_head.weight", tensors.get("model.embed_tokens.weight")!]])

const inShards = (tensors: Tensors): Record<string, Uint8Array> => {
  const map = Object.fromEntries(
    [...tensors.keys()].map((name, i) => [name, `model-0000${(i % 3) + 1}-of-00003.safetensors`]),
  )
  const files = new Set(Object.values(map))
  return {
    "model.safetensors.index.json": encodeUtf8(JSON.stringify({ metadata: {}, weight_map: map })),
    ...Object.fromEntries(
      [...files].map((file) => [file, writeSafetensors(new Map([...tensors].filter(([name]) => map[name] === file)))]),
    ),
  }
}

const cases: readonly (readonly [string, string, Written])[] = [
  ...["llama", "llama3", "llama_linear", "llama_yarn", "mistral", "qwen2", "qwen3", "smollm3"].map(
    (name) => [name, "settings of transformers 4", { config: older }] as const,
  ),
  ...["gemma2", "olmo2", "granite", "phi3", "phi3_long"].map(
    (name) => [name, "settings of transformers 4", { config: older }] as const,
  ),
  ["gemma3", "settings of transformers 4", { config: olderGemma3 }],
  ["gpt2", "weights without transformer.", bare("transformer.")],
  ["mistral", "weights without model.", bare("model.")],
  ["llama", "a head that is the embedding", { weights: withHead }],
  ["qwen2", "in shards", { files: inShards }],
]

for (const [name, how, written] of cases)
  test(`${name}: ${how}`, async () => {
    const checks = await checksOf(name, written)
    expect(checks.map(({ check, ok }) => [check, ok])).toEqual([
      ["logits", true],
      ["greedy", true],
    ])
  })

test("a head that is not the embedding counts, whatever config.json says of tying", async () => {
  const path = join(import.meta.dir, "..", "fixtures", "parity", "mistral", "base")
  const disk = fsFolder(path)
  const json = JSON.parse(new TextDecoder().decode(await disk.read("config.json"))) as Json
  const bytes = await disk.read("model.safetensors")
  const { base } = await openBaseFolder(
    memoryFolder(
      "mistral",
      new Map([
        ["config.json", encodeUtf8(JSON.stringify({ ...json, tie_word_embeddings: true }))],
        ["model.safetensors", bytes],
      ]),
    ),
    "mistral",
    { cacheFolder: null },
  )
  expect(base.config.tiedHead).toBe(false)
})

test("GPT-2 with scores divided by the layer's number is GPT-2 whose queries are", async () => {
  const divided = (tensors: Tensors): Tensors =>
    new Map(
      [...tensors].map(([name, tensor]) => {
        const layer = /^transformer\.h\.(\d+)\.attn\.c_attn\.(?:weight|bias)$/.exec(name)?.[1]
        if (layer === undefined) return [name, tensor]
        const [width, hidden] = [tensor.shape.at(-1)!, tensor.shape.at(-1)! / 3]
        // Times the layer's number, which the division takes back.
        const data = (tensor.data as Float32Array).map((x, i) => (i % width < hidden ? x * (Number(layer) + 1) : x))
        return [name, { ...tensor, data }]
      }),
    )
  const config = (json: Json): Json => ({ ...json, scale_attn_by_inverse_layer_idx: true })
  const checks = await checksOf("gpt2", { weights: divided, config })
  expect(checks.map(({ ok }) => ok)).toEqual([true, true])
})
