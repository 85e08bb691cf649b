/**
 * @module LoRA as ONNX Runtime's adapter file. The format knows parameters by name and no more; the names and shapes here
 * are those of the inputs that `espalier export --base --to onnx --lora-rank` gives a graph: `<path>.lora_A` [rank, in],
 * `<path>.lora_B` [out, rank] and `<path>.lora_scale` [1].
 */
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import { asF32, assertFinite } from "../formats/as-f32.ts"
import { readOnnxAdapter, writeOnnxAdapter } from "../formats/onnx-adapter.ts"
import type { LowrankForm } from "../forms/form.ts"
import { type AdapterFormat, checkFactors, linearSites, lowrankOnly, mismatch, SINGLE } from "./format.ts"
import { peftLora } from "./peft-lora.ts"

const FILE = "The .onnx_adapter file"

export const onnxAdapter: AdapterFormat = {
  name: "onnx_adapter",
  single: true,
  files: [],
  write(adapter) {
    const parameters = new Map<string, Tensor>()
    for (const { path, a, b, scale } of lowrankOnly(adapter, "onnx_adapter")) {
      parameters.set(`${path}.lora_A`, a)
      parameters.set(`${path}.lora_B`, b)
      parameters.set(`${path}.lora_scale`, f32([1], [scale]))
    }
    return new Map([[SINGLE, writeOnnxAdapter(parameters)]])
  },
  read(files, base) {
    const left = readOnnxAdapter(files.get(SINGLE)!, FILE)
    const take = (name: string): Tensor<"f32"> => {
      const found = left.get(name)
      if (!found) throw new EspalierError("invalid_file", `${FILE}: parameter ${name} is missing`)
      left.delete(name)
      const tensor = asF32(found, name, FILE)
      assertFinite(tensor.data, name, FILE)
      return tensor
    }
    const forms: LowrankForm[] = []
    for (const [path, site] of linearSites(base, ({ path }) => path)) {
      if (!left.has(`${path}.lora_A`)) continue
      const [a, b, scale] = ["lora_A", "lora_B", "lora_scale"].map((part) => take(`${path}.${part}`))
      forms.push(checkFactors(site, { form: "lowrank", path, a: a!, b: b!, scale: scale!.data[0]! }))
    }
    if (left.size > 0 || forms.length === 0) throw mismatch(base, [...left.keys()])
    return peftLora(forms, base)
  },
}
