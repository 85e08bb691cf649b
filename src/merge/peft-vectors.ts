/**
 * @module Vectors of layers in their folders' layouts: PEFT's IA3 and LN_TUNING, and BITFIT, which PEFT lacks.
 */
import { EspalierError } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import type { BiasForm, ScaleForm, WeightsForm } from "../forms/form.ts"
import { isTransposed, type PeftBase, type PeftFiles, targetNames } from "./peft-parts.ts"

/** Vectors that scale. @throws {EspalierError} `unsupported` where one layer has them on both sides */
export function ia3Files(forms: readonly ScaleForm[], { sites }: PeftBase): PeftFiles {
  const tensors = new Map<string, Tensor<"f32">>()
  for (const { path, side, vector } of forms) {
    const key = `base_model.model.${path}.ia3_l`
    if (tensors.has(key))
      throw new EspalierError("unsupported", `IA3 scales the input or the output of ${path}, and these do both`, {
        hint: "Take --fuse, which adds everything to the base",
      })
    const size = vector.data.length
    tensors.set(key, f32(side === "input" ? [1, size] : [size, 1], vector.data))
  }
  const inputs = forms.filter(({ side }) => side === "input").map(({ path }) => path)
  return {
    config: {
      auto_mapping: null,
      exclude_modules: null,
      fan_in_fan_out: isTransposed(sites),
      feedforward_modules: targetNames(inputs, sites),
      init_ia3_weights: true,
      modules_to_save: null,
      peft_type: "IA3",
      revision: null,
      target_modules: targetNames(
        forms.map(({ path }) => path),
        sites,
      ),
      task_type: "CAUSAL_LM",
    },
    tensors,
  }
}

/** Biases. The layout has no list of norms: where one is meant all are, and the others get zeros. */
export function biasFiles(forms: readonly BiasForm[], { sites }: PeftBase): PeftFiles {
  const vectors = new Map(forms.map(({ path, vector }) => [path, vector]))
  const linears = sites.flatMap((site) => (site.kind === "linear" ? [site] : []))
  const meant = linears.filter(({ path }) => vectors.has(path))
  const norms = sites.flatMap((site) => (site.kind === "norm" && site.bias ? [site] : []))
  const hasNorms = norms.some(({ path }) => vectors.has(path))
  const targets = meant.length > 0 ? meant : linears.slice(0, 1)
  const places = [
    ...targets.map(({ path, outFeatures }) => ({ path, size: outFeatures })),
    ...(hasNorms ? norms.map(({ path, features }) => ({ path, size: features })) : []),
  ]
  return {
    config: {
      add_missing: true,
      layers_to_transform: null,
      norms: hasNorms,
      peft_type: "BITFIT",
      target_modules: targetNames(
        targets.map(({ path }) => path),
        sites,
      ),
      task_type: "CAUSAL_LM",
    },
    tensors: new Map(
      places.map(({ path, size }) => [
        `base_model.model.${path}.bias_delta`,
        vectors.get(path) ?? f32([size], new Float32Array(size)),
      ]),
    ),
  }
}

/** Norms' weights and biases. */
export function normFiles(forms: readonly WeightsForm[], { sites }: PeftBase): PeftFiles {
  const tensors = new Map<string, Tensor<"f32">>()
  const paths = new Set<string>()
  for (const { name, value } of forms) {
    const at = name.lastIndexOf(".")
    const path = name.slice(0, at)
    paths.add(path)
    tensors.set(`base_model.model.${path}.ln_tuning_layers.${name.slice(at + 1)}`, value)
  }
  return {
    config: {
      auto_mapping: null,
      exclude_modules: null,
      modules_to_save: null,
      peft_type: "LN_TUNING",
      revision: null,
      target_modules: targetNames([...paths], sites),
      task_type: "CAUSAL_LM",
    },
    tensors,
  }
}
