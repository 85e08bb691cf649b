/**
 * @module One base in three forms: f32, 8-bit codes, and f32 of what those codes stand for, which is what computing with
 * codes is held against.
 */
import { join } from "node:path"
import { dequantizeInt8, quantizeInt8, transposed } from "../../src/core/int8.ts"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import type { Architecture, ModelConfig } from "../../src/models/architecture.ts"
import type { Base } from "../../src/models/base.ts"
import { int8Weights } from "../../src/models/quantization.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { memorySource, packWeights } from "../../src/store/weights-file.ts"

/** The three. */
export interface Int8Bases {
  readonly f32: Base
  readonly int8: Base
  /** f32 of the numbers that `int8` holds. */
  readonly rounded: Base
}

/** A base of these weights, in memory. */
export async function int8Bases(
  architecture: Architecture,
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor<"f32">>,
): Promise<Int8Bases> {
  const groups = architecture.weights(config)
  const held = int8Weights(architecture, config)
  const rounded = new Map(
    [...weights].map(([name, { shape, data }]) => {
      const how = held.get(name)
      if (!how) return [name, f32(shape, data)] as const
      const [rows, columns] = shape as [number, number]
      const back = how.transposed
        ? transposed(dequantizeInt8(quantizeInt8(transposed(data, rows, columns))), columns, rows)
        : dequantizeInt8(quantizeInt8(data))
      return [name, f32(shape, back)] as const
    }),
  )
  const baseOf = async (tensors: ReadonlyMap<string, Tensor<"f32">>, quantize: boolean): Promise<Base> => {
    const source = memorySource(tensors)
    const packed = await packWeights(source, groups, { cacheFolder: null, ...(quantize && { int8: held }) })
    return {
      name: architecture.modelType,
      architecture,
      config,
      ...packed,
      ...(quantize && { quantization: "int8" as const }),
      hash: await source.hash(),
      read: (name) => source.readF32(name),
    }
  }
  return { f32: await baseOf(weights, false), int8: await baseOf(weights, true), rounded: await baseOf(rounded, false) }
}

/** The small base of a parity case, in three forms. */
export async function int8Fixture(name: "llama" | "qwen2" | "gpt2"): Promise<Int8Bases> {
  const folder = join(import.meta.dir, "..", "fixtures", "parity", name, "base")
  const { base } = await openBase(folder, { cacheFolder: null })
  const weights = new Map<string, Tensor<"f32">>()
  for (const { name: weight, shape } of base.architecture.weights(base.config).flatMap(({ parts }) => parts))
    weights.set(weight, f32(shape, await base.read(weight)))
  return int8Bases(base.architecture, base.config, weights)
}
