/**
 * @module What `bench memory` compares: bases by name, and runs over them.
 */
import { join } from "node:path"
import { packageFolder } from "../../src/cli/shared-options.ts"
import type { Base } from "../../src/models/base.ts"
import type { Quantization } from "../../src/models/quantization.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { type BaseShape, randomBase } from "./random-source.ts"

/** Bases of random weights, by name. */
const shapes = {
  small: { hidden: 256, layers: 6, heads: 4, kvHeads: 2, intermediate: 688, vocab: 8192 },
  "smollm2-135m": { hidden: 576, layers: 30, heads: 9, kvHeads: 3, intermediate: 1536, vocab: 49_152 },
  "qwen2.5-0.5b": {
    modelType: "qwen2",
    hidden: 896,
    layers: 24,
    heads: 14,
    kvHeads: 2,
    intermediate: 4864,
    vocab: 151_936,
  },
} as const satisfies Record<string, BaseShape>

/** A base by its name: the embedded one, or one of random weights. */
export type MemoryBase = "sprig" | keyof typeof shapes

/** One combination. */
export interface MemoryRun {
  readonly base: MemoryBase
  /** What is trained; null where the base answers instead: a prompt of all positions but eight, and eight tokens. */
  readonly method: string | null
  readonly settings: Readonly<Record<string, unknown>>
  readonly rows: number
  readonly length: number
  readonly backend: "native" | "wasm"
  /** What the base's weights are held as. @default f32 */
  readonly quantize?: Quantization
}

/** Opens a run's base; the random ones are packed into the cache folder first, where they stay. */
export async function openMemoryBase({ base, quantize }: Pick<MemoryRun, "base" | "quantize">): Promise<Base> {
  if (base !== "sprig") return randomBase(shapes[base], quantize ?? null)
  return (await openBase(join(packageFolder(), "models", "sprig"), quantize ? { quantize } : {})).base
}

const run = (
  base: MemoryBase,
  method: string | null,
  settings: Readonly<Record<string, unknown>>,
  rows: number,
  length: number,
): MemoryRun => ({ base, method, settings, rows, length, backend: "native" })

/** What is compared where nothing is said. */
export const memoryRuns: readonly MemoryRun[] = [
  run("sprig", "lora", { rank: 8 }, 8, 128),
  run("sprig", "lora", { rank: 64 }, 16, 256),
  run("sprig", "prompt_tuning", { virtualTokens: 16 }, 8, 128),
  run("sprig", "full", {}, 16, 256),
  run("small", "lora", { rank: 8 }, 8, 128),
  run("small", "lora", { rank: 64 }, 4, 512),
  run("small", "prompt_tuning", { virtualTokens: 32 }, 4, 256),
  run("small", "full", {}, 8, 256),
  run("smollm2-135m", "lora", { rank: 8 }, 4, 128),
  run("smollm2-135m", "lora", { rank: 64 }, 2, 512),
  run("smollm2-135m", "prompt_tuning", { virtualTokens: 16 }, 4, 128),
  run("smollm2-135m", "full", {}, 2, 128),
  run("smollm2-135m", null, {}, 1, 512),
  run("qwen2.5-0.5b", "lora", { rank: 8 }, 2, 128),
  run("qwen2.5-0.5b", null, {}, 1, 512),
]
