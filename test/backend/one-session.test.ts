/**
 * @module A step that is short of memory: computed in more pieces and evaluated in the session that trains, it gives what another does.
 */
import { afterAll, expect, test } from "bun:test"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { graphStep } from "../../src/train/graph-step.ts"
import { randomBatch } from "../support/lora-step.ts"

const { runtime } = await openRuntime("native", { threads: 1 })
const { base } = await openBase(join(import.meta.dir, "..", "fixtures", "parity", "llama", "base"))
afterAll(() => runtime.dispose())
const batch = randomBatch(base)

/** What a step computes, and of how many sessions. */
async function computed(settings: object, maxPositions?: number) {
  let sessions = 0
  const counting: Runtime = {
    ...runtime,
    createSession(spec) {
      sessions++
      return runtime.createSession(spec)
    },
  }
  const step = await graphStep({
    ...{ runtime: counting, base, env: methodEnv(base, null, 1) },
    method: methods.find(({ name }) => name === "lora")!.prepare({ rank: 2, ...settings }),
    ...{ maxLength: batch.length, maxLabelled: batch.rows * batch.length },
    ...(maxPositions !== undefined && { maxPositions }),
  })
  const gradients = new Float32Array(step.values.length)
  const before = await step.evaluate(batch)
  const loss = await step.forwardBackward(batch, 1 / batch.labelled, gradients, 5)
  const after = await step.evaluate(batch)
  await step.dispose()
  return { sessions, before, after, loss, gradients }
}

for (const settings of [{}, { dropout: 0.5 }])
  test(`a step that is short of memory gives the same: ${JSON.stringify(settings)}`, async () => {
    const [plain, short] = [await computed(settings), await computed(settings, 2 * batch.length)]
    // What drops a part of its inputs in training can't be evaluated there.
    expect([plain.sessions, short.sessions]).toEqual([2, "dropout" in settings ? 2 : 1])
    expect(short.after).toEqual(short.before)
    expect(short.before.loss / plain.before.loss).toBeCloseTo(1, 6)
    expect([short.before.correct, short.before.labelled]).toEqual([plain.before.correct, plain.before.labelled])
    expect(short.loss).toBeCloseTo(plain.loss, 5)
    for (const [i, gradient] of short.gradients.entries()) expect(gradient).toBeCloseTo(plain.gradients[i]!, 6)
  })

test("a step that rests between two calls computes the same, and has its session made anew", async () => {
  const step = await graphStep({
    ...{ runtime, base, env: methodEnv(base, null, 1) },
    method: methods.find(({ name }) => name === "lora")!.prepare({ rank: 2 }),
    ...{ maxLength: batch.length, maxLabelled: batch.rows * batch.length, maxPositions: 2 * batch.length },
  })
  const once = async () => {
    const gradients = new Float32Array(step.values.length)
    const loss = await step.forwardBackward(batch, 1 / batch.labelled, gradients, 5)
    return { loss, gradients, sums: await step.evaluate(batch) }
  }
  const before = await once()
  await step.rest!()
  expect(await once()).toEqual(before)
  await step.rest!()
  await step.dispose()
})
