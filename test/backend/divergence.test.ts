/**
 * @module The divergence from the frozen base in a training step: its gradient against differences of the loss, and its
 * value against the distributions that a decoder gives.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { rng } from "../../src/core/rng.ts"
import { type Batch, IGNORE } from "../../src/data/batch.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { type Divergence, graphStep } from "../../src/train/graph-step.ts"

const LENGTH = 10
const { runtime } = await openRuntime("native", { threads: 1 })
const { base } = await openBase(join(import.meta.dir, "..", "fixtures", "parity", "llama", "base"))
afterAll(() => runtime.dispose())

const draw = rng(5, "batch")
const ids = Int32Array.from({ length: 2 * LENGTH }, () => draw.below(base.config.vocabSize))
const batch: Batch = {
  ...{ rows: 2, length: LENGTH, ids, tokens: ids.length, labelled: 2 * (LENGTH - 2) },
  labels: Int32Array.from(ids, (id, i) => (i % LENGTH < 2 ? IGNORE : id)),
  replayed: Uint8Array.of(0, 1),
}
const env = methodEnv(base, null, 1)

function stepOf(name: string, settings: Record<string, unknown>, divergence?: Divergence) {
  const method = methods.find((each) => each.name === name)!.prepare(settings)
  const sizes = { maxLength: LENGTH, maxLabelled: 2 * LENGTH }
  return graphStep({ runtime, base, method, env, ...sizes, ...(divergence && { divergence }) })
}
type Step = Awaited<ReturnType<typeof stepOf>>
const lossOf = (step: Step, given = batch): Promise<number> =>
  step.forwardBackward(given, 1 / given.labelled, new Float32Array(step.values.length), 0)
function move(step: Step): void {
  const random = rng(3, "move")
  for (let i = 0; i < step.values.length; i++) step.values[i]! += 0.05 * random.normal()
}

describe("the divergence from the frozen base", () => {
  test("is nothing where nothing has been trained", async () => {
    const [plain, kept] = [
      await stepOf("lora", { rank: 3 }),
      await stepOf("lora", { rank: 3 }, { beta: 2, rows: "all" }),
    ]
    expect(await lossOf(kept)).toBeCloseTo(await lossOf(plain), 5)
    await plain.dispose()
    await kept.dispose()
  })

  test("grows with its factor, and counts replayed rows alone where it is told to", async () => {
    const added = async (divergence: Divergence, given = batch): Promise<number> => {
      const [plain, kept] = [await stepOf("lora", { rank: 3 }), await stepOf("lora", { rank: 3 }, divergence)]
      move(plain)
      move(kept)
      const more = (await lossOf(kept, given)) - (await lossOf(plain, given))
      await plain.dispose()
      await kept.dispose()
      return more
    }
    const one = await added({ beta: 1, rows: "all" })
    expect(one).toBeGreaterThan(1e-3)
    expect((await added({ beta: 3, rows: "all" })) / one).toBeCloseTo(3, 2)
    const first = { ...batch, replayed: Uint8Array.of(1, 0) }
    const parts = (await added({ beta: 1, rows: "replay" })) + (await added({ beta: 1, rows: "replay" }, first))
    expect(parts / one).toBeCloseTo(1, 2)
  })

  for (const [name, settings] of [
    ["lora", { rank: 3 }],
    ["prompt_tuning", { virtualTokens: 3 }],
    ["prefix_tuning", { virtualTokens: 2 }],
    ["full", {}],
  ] as const)
    test(`has the gradient that its loss has: ${name}`, async () => {
      const step = await stepOf(name, settings, { beta: 5, rows: "all" })
      move(step)
      const gradients = new Float32Array(step.values.length)
      await step.forwardBackward(batch, 1 / batch.labelled, gradients, 0)
      const norm = Math.hypot(...gradients)
      expect(norm).toBeGreaterThan(0)
      const first = step.values.slice()
      const at = (along: number): Promise<number> => {
        for (let i = 0; i < first.length; i++) step.values[i] = first[i]! + (along * gradients[i]!) / norm
        return lossOf(step)
      }
      const reach = Math.min(0.005, Math.max(0.001, 0.002 / norm))
      const slope = async (h: number): Promise<number> => ((await at(h)) - (await at(-h))) / (2 * h)
      const difference = (4 * (await slope(reach / 2)) - (await slope(reach))) / 3
      expect(Math.abs(difference - norm)).toBeLessThan(0.02 * norm + 8e-6 / reach)
      await step.dispose()
    }, 60_000)
})
