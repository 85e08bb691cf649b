/**
 * @module Bottlenecks in our layout of a PEFT folder (PEFT has no such type): one width for all of them, so that narrower
 * ones get rows and columns of zeros, which add nothing.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { BottleneckForm } from "../forms/form.ts"
import type { ResidualSite } from "../models/site.ts"
import type { PeftBase, PeftFiles } from "./peft-parts.ts"

/** Bottlenecks of every layer; factors on what they add are in `up` already. */
export function bottleneckFiles(forms: readonly BottleneckForm[], { sites }: PeftBase): PeftFiles {
  const width = Math.max(...forms.map(({ downBias }) => downBias.data.length))
  const residuals = new Map(
    sites.flatMap((site): [string, ResidualSite][] => (site.kind === "residual" ? [[site.path, site]] : [])),
  )
  const found = new Map(forms.map((form) => [form.path, form]))
  const { reads, nonlinearity } = forms[0]!
  const kind = ({ stream: "parallel", branch: "houlsby", sum: "pfeiffer" } as const)[reads]
  const places = [...residuals.values()].filter(({ role }) => role === "mlp" || kind === "houlsby")
  const tensors = new Map<string, Tensor<"f32">>()
  for (const { path, features } of places) {
    const wide = widened(found.get(path), width, features)
    for (const [name, tensor] of Object.entries(wide)) tensors.set(`base_model.model.${path}.${name}`, tensor)
  }
  return {
    config: {
      kind,
      layers_to_transform: null,
      nonlinearity,
      peft_type: "BOTTLENECK",
      // hidden / this, rounded down, is the width; the half keeps rounding away from it.
      reduction_factor: places[0]!.features / (width + 0.5),
      scaling: 1,
      task_type: "CAUSAL_LM",
    },
    tensors,
  }
}

/** A bottleneck's tensors at a width, by their names in the file; zeros where there is none. */
function widened(form: BottleneckForm | undefined, width: number, features: number): Record<string, Tensor<"f32">> {
  const down = new Float32Array(width * features)
  const downBias = new Float32Array(width)
  const up = new Float32Array(features * width)
  const upBias = new Float32Array(features)
  if (form) {
    const size = form.downBias.data.length
    down.set(form.down.data)
    downBias.set(form.downBias.data)
    upBias.set(form.upBias.data)
    for (let o = 0; o < features; o++) up.set(form.up.data.subarray(o * size, (o + 1) * size), o * width)
  }
  return {
    "adapter_down.weight": f32([width, features], down),
    "adapter_down.bias": f32([width], downBias),
    "adapter_up.weight": f32([features, width], up),
    "adapter_up.bias": f32([features], upBias),
  }
}
