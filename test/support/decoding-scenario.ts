/**
 * @module Sequences that come, go and change places while they are decoded, with adapters and without: all logits on the way.
 */
import { rng } from "../../src/core/rng.ts"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import type { Form } from "../../src/forms/form.ts"
import type { Base } from "../../src/models/base.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import type { Sequence } from "../../src/serve/decoder.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { servedLinears } from "../../src/serve/lowrank-groups.ts"

/** Factors of a rank on queries and values, and with `prompt` some virtual tokens. */
export function formsOf(base: Base, seed: number, rank: number, prompt: boolean): Form[] {
  const random = (name: string, shape: readonly [number, number]): Tensor<"f32"> => {
    const draw = rng(seed, name)
    return f32(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => 0.2 * draw.normal()),
    )
  }
  const lowrank = servedLinears(base).flatMap(({ path, role, inFeatures, outFeatures }): Form[] =>
    role === "q" || role === "v"
      ? [
          {
            ...{ form: "lowrank", path, scale: 0.5 },
            a: random(`a ${path}`, [rank, inFeatures]),
            b: random(`b ${path}`, [outFeatures, rank]),
          },
        ]
      : [],
  )
  const embeddings = random("prompt", [3, base.config.hiddenSize])
  return prompt ? [...lowrank, { form: "prompt", embeddings }] : lowrank
}

/** Decodes on a runtime. @returns the logits of every prompt's last token and of every step, one after the other */
export async function decodingScenario(runtime: Runtime, base: Base): Promise<Float32Array> {
  const decoder = await graphDecoder({ runtime, base, prefixCacheBytes: 0 })
  const logits: number[] = []
  const forms = [formsOf(base, 1, 2, false), formsOf(base, 2, 4, true)]
  const loaded = forms.map((each, i) => ({ method: "lora", forms: each, hash: `${i}`, sizeBytes: 0 }))
  const adapters = [await decoder.bind(loaded[0]!), await decoder.bind(loaded[1]!)] as const
  const begin = async (adapter: 0 | 1 | null, tokens: readonly number[]): Promise<Sequence> => {
    const sequence = await decoder.open(adapter === null ? null : adapters[adapter], 24)
    for (const part of [tokens.slice(0, 2), tokens.slice(2)]) logits.push(...(await sequence.append(part)))
    return sequence
  }
  const steps = async (sequences: readonly Sequence[], count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const rows = sequences.map((sequence, row) => ({ sequence, token: 3 + row + i }))
      for (const row of await decoder.step(rows)) logits.push(...row)
    }
  }
  const first = await begin(null, [3, 4, 5, 6])
  await steps([first], 3)
  const second = await begin(0, [7, 8, 9])
  await steps([first, second], 3)
  const third = await begin(1, [9, 8, 7, 6])
  await steps([first, second, third], 3)
  first.close()
  await steps([third, second], 3)
  second.close()
  await steps([third], 2)
  third.close()
  await decoder.dispose()
  return Float32Array.from(logits)
}
