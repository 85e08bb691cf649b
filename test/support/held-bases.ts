/**
 * @module One base in three forms: f32, in fewer bits (f16, codes of 8 or 4 bits), and f32 of the numbers that those bits stand
 * for, which is what computing with them is held against.
 */
import { fileURLToPath } from "node:url"
import { dequantizeCodes, quantizeCodes, transposed } from "../../src/core/codes.ts"
import { f16ToF32, f32ToF16 } from "../../src/core/half.ts"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import type { Architecture, ModelConfig } from "../../src/models/architecture.ts"
import type { Base } from "../../src/models/base.ts"
import { type HeldWeight, heldWeights, type Quantization } from "../../src/models/quantization.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { memorySource, packWeights } from "../../src/store/weights-file.ts"

/** The three. */
export interface HeldBases {
  readonly f32: Base
  readonly held: Base
  /** f32 of the numbers that `held` holds. */
  readonly rounded: Base
}

/** A base of these weights, in memory. */
export async function heldBases(
  architecture: Architecture,
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor<"f32">>,
  quantization: Quantization,
): Promise<HeldBases> {
  const groups = architecture.weights(config)
  const held = heldWeights(architecture, config, quantization)
  const rounded = new Map(
    [...weights].map(([name, { shape, data }]) => {
      const how = held.get(name)
      return [name, f32(shape, how ? roundedTo(how, shape as [number, number], data) : data)] as const
    }),
  )
  const baseOf = async (tensors: ReadonlyMap<string, Tensor<"f32">>, quantize: boolean): Promise<Base> => {
    const source = memorySource(tensors)
    const packed = await packWeights(source, groups, { cacheFolder: null, ...(quantize && { held }) })
    return {
      name: architecture.modelType,
      architecture,
      config,
      ...packed,
      ...(quantize && { quantization }),
      hash: await source.hash(),
      read: (name) => source.readF32(name),
    }
  }
  return { f32: await baseOf(weights, false), held: await baseOf(weights, true), rounded: await baseOf(rounded, false) }
}

/** The small base of a parity case, in three forms. */
export async function heldFixture(name: string, quantization: Quantization): Promise<HeldBases> {
  const folder = fileURLToPath(new URL(`../fixtures/parity/${name}/base`, import.meta.url))
  const { base } = await openBase(folder, { cacheFolder: null })
  const weights = new Map<string, Tensor<"f32">>()
  for (const { name: weight, shape } of base.architecture.weights(base.config).flatMap(({ parts }) => parts))
    weights.set(weight, f32(shape, await base.read(weight)))
  return heldBases(base.architecture, base.config, weights, quantization)
}

/** The numbers that a weight's bits stand for. */
function roundedTo(how: HeldWeight, [rows, columns]: readonly [number, number], data: Float32Array): Float32Array {
  if (how.bits === 16) return f16ToF32(f32ToF16(data))
  const there = (numbers: Float32Array): Float32Array => dequantizeCodes(quantizeCodes(numbers, how.bits))
  return how.transposed ? transposed(there(transposed(data, rows, columns)), columns, rows) : there(data)
}
