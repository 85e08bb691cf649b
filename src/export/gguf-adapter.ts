/**
 * @module LoRA as llama.cpp reads it: one alpha for the whole file, factors under the names of the base's weights, and
 * rows of q and k turned where its converter turns those of the base. It scales by alpha / rank, so that alpha is written
 * as the scale times the rank: the converter of llama.cpp writes rsLoRA's alpha as it is, which is wrong by sqrt(rank).
 * Source: https://github.com/ggml-org/llama.cpp `convert_lora_to_gguf.py`, `src/llama-adapter.cpp`
 */
import { EspalierError } from "../core/errors.ts"
import { f32 } from "../core/tensor.ts"
import { assertFinite } from "../formats/as-f32.ts"
import type { GgufTensor, GgufValue } from "../formats/gguf/content.ts"
import { decodeGguf } from "../formats/gguf/decode.ts"
import { readGguf } from "../formats/gguf/read.ts"
import { ggufTensor, writeGguf } from "../formats/gguf/write.ts"
import type { LowrankForm } from "../forms/form.ts"
import type { LinearSite } from "../models/site.ts"
import {
  type AdapterFormat,
  checkFactors,
  type ExportBase,
  linearSites,
  lowrankOnly,
  mismatch,
  SINGLE,
} from "./format.ts"
import { ggufArchitecture, ggufWeight, turnRows } from "./gguf-names.ts"
import { peftLora } from "./peft-lora.ts"

const FILE = "The GGUF file"

/** Heads of a layer whose rows are turned; null for any other. */
function headsOf({ role }: LinearSite, { config }: ExportBase): number | null {
  if (!ggufArchitecture(config.modelType).turned) return null
  return role === "q" ? config.heads : role === "k" ? config.kvHeads : null
}

/** B with its rows turned, or as it is. */
function turnedB(site: LinearSite, b: LowrankForm["b"], base: ExportBase, back: boolean): LowrankForm["b"] {
  const heads = headsOf(site, base)
  return heads === null ? b : f32(b.shape, turnRows(b.data, heads, base.config.headDim, back))
}

export const ggufAdapter: AdapterFormat = {
  name: "gguf",
  single: true,
  files: [],
  write(adapter, base) {
    const forms = lowrankOnly(adapter, "gguf")
    const sites = linearSites(base, ({ path }) => path)
    const first = forms[0]!
    // f32 is what the file holds: the scales of other layers are compared with what it says.
    const alpha = Math.fround(first.scale * first.a.shape[0]!)
    const tensors = new Map<string, GgufTensor>()
    for (const { path, a, b, scale } of forms) {
      const site = sites.get(path)!
      const ratio = (scale * a.shape[0]!) / alpha
      const same = Math.abs(ratio - 1) < 1e-6
      const scaled = same
        ? b
        : f32(
            b.shape,
            Float32Array.from(b.data, (x) => x * ratio),
          )
      tensors.set(`${ggufWeight(site)}.lora_a`, ggufTensor(a))
      tensors.set(`${ggufWeight(site)}.lora_b`, ggufTensor(turnedB(site, scaled, base, false)))
    }
    const metadata = new Map<string, GgufValue>([
      ["general.architecture", { type: "string", value: ggufArchitecture(base.config.modelType).name }],
      ["general.type", { type: "string", value: "adapter" }],
      ["adapter.type", { type: "string", value: "lora" }],
      ["general.name", { type: "string", value: adapter.name }],
      ["adapter.lora.alpha", { type: "f32", value: alpha }],
    ])
    return new Map([[SINGLE, writeGguf({ metadata, tensors })]])
  },
  read(files, base) {
    const { metadata, tensors } = readGguf(files.get(SINGLE)!, FILE)
    const expect = (key: string, wanted: string) => {
      const found = metadata.get(key)?.value
      if (found !== wanted)
        throw new EspalierError(
          key === "general.architecture" ? "adapter_mismatch" : "invalid_file",
          `${FILE}: expected ${key} to be ${wanted} but found ${String(found)}`,
        )
    }
    expect("general.type", "adapter")
    expect("adapter.type", "lora")
    expect("general.architecture", ggufArchitecture(base.config.modelType).name)
    const alpha = metadata.get("adapter.lora.alpha")
    if (alpha !== undefined && alpha.type !== "f32")
      throw new EspalierError("invalid_file", `${FILE}: adapter.lora.alpha is no f32`)
    const decoded = (name: string, tensor: GgufTensor) => {
      const data = decodeGguf(tensor)
      assertFinite(data, name, FILE)
      return f32(tensor.shape, data)
    }
    const forms: LowrankForm[] = []
    const left = new Map(tensors)
    for (const [weight, site] of linearSites(base, ggufWeight)) {
      const [a, b] = [left.get(`${weight}.lora_a`), left.get(`${weight}.lora_b`)]
      if (!a || !b) continue
      left.delete(`${weight}.lora_a`)
      left.delete(`${weight}.lora_b`)
      const rank = a.shape[0]!
      const form: LowrankForm = {
        form: "lowrank",
        path: site.path,
        a: decoded(`${weight}.lora_a`, a),
        b: decoded(`${weight}.lora_b`, b),
        // Without an alpha, or with one of 0, llama.cpp scales by the user's factor alone.
        scale: alpha?.value ? alpha.value / rank : 1,
      }
      checkFactors(site, form)
      forms.push({ ...form, b: turnedB(site, form.b, base, true) })
    }
    if (left.size > 0 || forms.length === 0) throw mismatch(base, [...left.keys()])
    return peftLora(forms, base)
  },
}
