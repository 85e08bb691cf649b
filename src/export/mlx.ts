/**
 * @module LoRA and DoRA as mlx-lm reads them: factors transposed (A [in, rank], B [rank, out]), one rank and one final
 * scale for all layers, and tensors at every key of every layer that it makes LoRA layers of. Smaller ranks get zeros,
 * other scales go into B, and layers without an update get one that adds nothing.
 * Source: https://github.com/ml-explore/mlx-lm `mlx_lm/tuner/{utils,lora,dora}.py`
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { transposed } from "../core/codes.ts"
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import { asF32, assertFinite } from "../formats/as-f32.ts"
import { parseStrictJson } from "../formats/json-strict.ts"
import { ADAPTER_LIMITS, readSafetensors, writeSafetensors } from "../formats/safetensors.ts"
import type { LowrankForm } from "../forms/form.ts"
import { type AdapterFormat, checkFactors, type ExportBase, linearSites, lowrankOnly, mismatch } from "./format.ts"
import { peftLora } from "./peft-lora.ts"

const CONFIG = "adapter_config.json"
const WEIGHTS = "adapters.safetensors"

/** A layer's path below its block, such as `self_attn.q_proj`. */
const keyOf = (path: string): string => path.replace(/^model\.layers\.\d+\./, "")

/** @throws {EspalierError} `unsupported` where mlx-lm calls layers otherwise */
function checkArchitecture({ config: { modelType } }: ExportBase): void {
  if (modelType !== "gpt2") return
  throw new EspalierError("unsupported", "Format mlx is not written for gpt2, whose layers mlx-lm calls otherwise", {
    hint: "--to peft or --to gguf keeps the adapter",
    param: "to",
  })
}

/** [rows, columns] as [columns, rows]. */
const turned = ({ shape: [rows, columns], data }: Tensor<"f32">): Tensor<"f32"> =>
  f32([columns!, rows!], transposed(data, rows!, columns!))

export const mlx: AdapterFormat = {
  name: "mlx",
  single: false,
  files: [CONFIG, WEIGHTS],
  write(adapter, base) {
    checkArchitecture(base)
    const isDora = [...adapter.tensors.keys()].some((key) => key.endsWith(".lora_magnitude_vector"))
    // DoRA's vectors are kept as its own: what scales the output follows from them and the base.
    const forms = lowrankOnly(
      isDora ? { ...adapter, forms: adapter.forms.filter(({ form }) => form === "lowrank") } : adapter,
      "mlx",
    )
    const rank = Math.max(...forms.map(({ a }) => a.shape[0]!))
    const { scale } = forms[0]!
    const found = new Map(forms.map((form) => [form.path, form]))
    const keys = [...new Set(forms.map(({ path }) => keyOf(path)))]
    const tensors = new Map<string, Tensor>()
    for (const [path, { inFeatures, outFeatures }] of linearSites(base, ({ path }) => path)) {
      if (!keys.includes(keyOf(path))) continue
      const form = found.get(path)
      if (isDora && !form)
        throw new EspalierError("unsupported", `Format mlx wants DoRA at every layer, but ${path} has none`, {
          hint: "--to merged adds it to the base's weights, exactly",
        })
      const a = new Float32Array(rank * inFeatures)
      const b = new Float32Array(rank * outFeatures) // [rank, out]
      if (form) {
        a.set(form.a.data)
        const columns = transposed(form.b.data, outFeatures, form.a.shape[0]!)
        b.set(form.scale === scale ? columns : columns.map((x) => (x * form.scale) / scale))
      }
      tensors.set(`${path}.lora_a`, turned(f32([rank, inFeatures], a)))
      tensors.set(`${path}.lora_b`, f32([rank, outFeatures], b))
      if (isDora) tensors.set(`${path}.m`, adapter.tensors.get(`base_model.model.${path}.lora_magnitude_vector`)!)
    }
    const config = {
      fine_tune_type: isDora ? "dora" : "lora",
      model: base.name,
      num_layers: base.config.layers,
      lora_parameters: { rank, scale, dropout: 0, keys },
    }
    return new Map([
      [CONFIG, encodeUtf8(`${JSON.stringify(config, null, 2)}\n`)],
      [WEIGHTS, writeSafetensors(tensors)],
    ])
  },
  read(files, base) {
    checkArchitecture(base)
    const { scale, isDora } = settingsOf(files.get(CONFIG)!)
    const magnitudes = new Map<string, Tensor<"f32">>()
    const left = readSafetensors(files.get(WEIGHTS)!, WEIGHTS, ADAPTER_LIMITS)
    const take = (name: string, dimensions = 2): Tensor<"f32"> => {
      const tensor = left.get(name)
      if (tensor?.shape.length !== dimensions) throw mismatch(base, [name])
      left.delete(name)
      const numbers = asF32(tensor, name, WEIGHTS)
      assertFinite(numbers.data, name, WEIGHTS)
      return dimensions === 2 ? turned(numbers) : numbers
    }
    const forms: LowrankForm[] = []
    for (const [path, site] of linearSites(base, ({ path }) => path)) {
      if (!left.has(`${path}.lora_a`)) continue
      const [a, b] = [take(`${path}.lora_a`), take(`${path}.lora_b`)]
      const form = checkFactors(site, { form: "lowrank", path, a, b, scale })
      // Written for a layer that has no update: mlx-lm wants them all.
      if (isDora || !isNothing(a) || !isNothing(b)) forms.push(form)
      if (isDora) magnitudes.set(`base_model.model.${path}.lora_magnitude_vector`, take(`${path}.m`, 1))
    }
    if (left.size > 0 || forms.length === 0) throw mismatch(base, [...left.keys()])
    const { config, tensors } = peftLora(forms, base)
    return { config: { ...config, use_dora: isDora }, tensors: new Map([...tensors, ...magnitudes]) }
  },
}

const isNothing = ({ data }: Tensor<"f32">): boolean => data.every((x) => x === 0)

/** What an mlx-lm configuration says. @throws {EspalierError} `invalid_file`, or `unsupported` for what is no LoRA */
function settingsOf(bytes: Uint8Array): { readonly scale: number; readonly isDora: boolean } {
  const json = parseStrictJson(new TextDecoder().decode(bytes)) as {
    readonly fine_tune_type?: unknown
    readonly lora_parameters?: { readonly scale?: unknown }
  } | null
  const type = json?.fine_tune_type ?? "lora"
  if (type !== "lora" && type !== "dora")
    throw new EspalierError(
      "unsupported",
      `${CONFIG}: fine_tune_type ${JSON.stringify(type)} can't be read, only lora and dora`,
    )
  const scale = json?.lora_parameters?.scale
  if (typeof scale === "number" && Number.isFinite(scale)) return { scale, isDora: type === "dora" }
  throw new EspalierError("invalid_file", `${CONFIG}: expected lora_parameters to have a scale`)
}
