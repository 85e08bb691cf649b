/**
 * @module Options that benchmarks over random weights share: a base's sizes, and what computes.
 */
import type { OptionTable, OptionValues } from "../../src/cli/command.ts"
import { count, whole } from "../../src/cli/number-range.ts"
import { engineOptions, quantizeSetting } from "../../src/cli/shared-options.ts"
import type { Quantization } from "../../src/models/quantization.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import type { BaseShape } from "./random-source.ts"

/** A shape, SmolLM2-135M's where nothing is said, and a backend. */
export const shapeOptions = {
  hidden: { type: "number", range: count(65_536), description: "hidden size", default: "576" },
  layers: { type: "number", range: count(1024), description: "layers", default: "30" },
  heads: { type: "number", range: count(1024), description: "attention heads", default: "9" },
  "kv-heads": { type: "number", range: count(1024), description: "heads of keys and values", default: "3" },
  intermediate: { type: "number", range: count(2 ** 20), description: "size of the MLP", default: "1536" },
  vocab: { type: "number", range: whole(2, 2 ** 22), description: "vocabulary", default: "49152" },
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
