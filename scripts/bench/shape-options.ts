/**
 * @module Options that benchmarks over random weights share: a base's sizes, and what computes.
 */
import type { OptionTable, OptionValues } from "../../src/cli/command.ts"
import { engineOptions, quantizeSetting } from "../../src/cli/shared-options.ts"
import type { Quantization } from "../../src/models/quantization.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import type { BaseShape } from "./random-source.ts"

/** A shape, SmolLM2-135M's where nothing is said, and a backend. */
export const shapeOptions = {
  hidden: { type: "number", description: "hidden size", default: "576" },
  layers: { type: "number", description: "layers", default: "30" },
  heads: { type: "number", description: "attention heads", default: "9" },
  "kv-heads": { type: "number", description: "heads of keys and values", default: "3" },
  intermediate: { type: "number", description: "size of the MLP", default: "1536" },
  vocab: { type: "number", description: "vocabulary", default: "49152" },
  backend: { ...engineOptions.backend, default: "native" },
  threads: engineOptions.threads,
  quantize: engineOptions.quantize,
} as const satisfies OptionTable

type Values = OptionValues<typeof shapeOptions>

/** The sizes. */
export const shapeOf = (values: Values): BaseShape => ({
  hidden: values.hidden ?? 576,
  layers: values.layers ?? 30,
  heads: values.heads ?? 9,
  kvHeads: values["kv-heads"] ?? 3,
  intermediate: values.intermediate ?? 1536,
  vocab: values.vocab ?? 49_152,
})

/** The backend, its threads, and how it holds the weights. */
export const computedBy = (values: Values) => ({
  backend: (values.backend ?? "native") as BackendName | "auto",
  threads: values.threads ?? null,
  quantize: (quantizeSetting(values.quantize).quantize ?? null) as Quantization | null,
})
