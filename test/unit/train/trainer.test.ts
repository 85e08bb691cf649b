import { describe, expect, test } from "bun:test"
import { isEspalierError } from "../../../src/core/errors.ts"
import { rng } from "../../../src/core/rng.ts"
import { collateSorted, type Example } from "../../../src/data/batch.ts"
import type { TrainConfig } from "../../../src/train/config.ts"
import type { TrainEvent } from "../../../src/train/events.ts"
import type { Snapshot } from "../../../src/train/snapshot.ts"
import { exampleSource } from "../../../src/train/source.ts"
import type { TrainStep } from "../../../src/train/step.ts"
import { type TrainData, type TrainHooks, train } from "../../../src/train/trainer.ts"
import { toyStep } from "../../support/toy-step.ts"

const VOCAB = 7

/** Rows that count up modulo the vocabulary, with some noise: a bigram table can learn most of it. */
function rowsOf(count: number, purpose: string): Example[] {
  const random = rng(5, purpose)
  return Array.from({ length: count }, (_, line) => {
    const ids = Int32Array.from({ length: 3 + random.below(6) }, () => 0)
    ids[0] = random.below(VOCAB)
    for (let i = 1; i < ids.length; i++) ids[i] = random.next() < 0.2 ? random.below(VOCAB) : (ids[i - 1]! + 1) % VOCAB
    return { ids, labels: ids, line: line + 1 }
  })
}

const data: TrainData = {
  source: exampleSource(rowsOf(22, "train"), { batchSize: 3, accumulation: 2, bucket: 4, seed: 9 }),
  heldout: collateSorted(rowsOf(6, "heldout"), 4, 4),
}
const config: TrainConfig = { epochs: 3, learningRate: 0.1, evaluateEvery: 3, checkpointEvery: 2, seed: 1 }

/** A copy that later updates can't reach, as a file would be. */
const copied = (snapshot: Snapshot): Snapshot => structuredClone(snapshot)

/** Runs to the end and returns everything that can be compared. */
async function run(
  settings: Partial<TrainConfig> = {},
  hooks: TrainHooks = {},
  from: TrainData = data,
  resume?: Snapshot,
) {
  const step = toyStep(VOCAB)
  const events: TrainEvent[] = []
  const result = await train(
    step,
    from,
    { ...config, ...settings },
    { ...hooks, onEvent: (e) => events.push(e) },
    resume,
  )
  return { step, events, result }
}

describe("train()", () => {
  test("lowers the loss on held-out rows and tells each step", async () => {
    const { events, result } = await run()
    expect(result.status).toBe("completed")
    expect(result.step).toBe(12)
    expect(result.losses.length).toBe(12)
    const [before] = result.evaluations
    expect(before!.step).toBe(0)
    // An untrained table is uniform.
    expect(before!.loss).toBeCloseTo(Math.log(VOCAB), 6)
    expect(before!.perplexity).toBeCloseTo(VOCAB, 4)
    expect(result.best!.loss).toBeLessThan(before!.loss - 0.3)
    expect(result.best!.tokenAccuracy).toBeGreaterThan(0.5)
    expect(events.map((event) => event.type).filter((type) => type === "step-end").length).toBe(12)
    expect(events[0]).toEqual({ type: "run-start", steps: 12, stepsPerEpoch: 4, trainable: 49, resumedAt: 0 })
    expect(events.at(-1)).toMatchObject({ type: "run-end", status: "completed", step: 12, best: result.best })
    expect(result.evaluations.map(({ step }) => step)).toEqual([0, 3, 6, 9, 12])
  })

  test("gives the same bits each time, and others with another seed", async () => {
    const [one, same, other] = [await run(), await run(), await run({ seed: 2 })]
    expect(same.step.values).toEqual(one.step.values)
    expect(other.step.values).not.toEqual(one.step.values)
  })

  test("resumed from an interruption at any step it ends in the same bits", async () => {
    const whole = await run()
    for (let stopAt = 0; stopAt < 12; stopAt++) {
      const abort = new AbortController()
      let saved: Snapshot | null = null
      const stopped = toyStep(VOCAB)
      const first = await train(stopped, data, config, {
        signal: abort.signal,
        onEvent: (event) => {
          if ((event.type === "run-start" && stopAt === 0) || (event.type === "step-end" && event.step === stopAt))
            abort.abort()
        },
        async saveCheckpoint(snapshot) {
          saved = copied(snapshot)
        },
      })
      expect(first.status).toBe("interrupted")
      expect(first.step).toBe(stopAt)
      const second = await run({}, {}, data, saved!)
      expect(second.step.values).toEqual(whole.step.values)
      expect(second.result.best).toEqual(whole.result.best)
      expect(second.result.tokensSeen).toBe(whole.result.tokensSeen)
      expect(first.losses.concat(second.result.losses)).toEqual(whole.result.losses.slice())
    }
  })

  test("resumed from any interval checkpoint, as after kill -9, it ends in the same bits", async () => {
    const snapshots: Snapshot[] = []
    const whole = await run({}, { saveCheckpoint: async (snapshot) => void snapshots.push(copied(snapshot)) })
    expect(snapshots.map(({ progress }) => progress.step)).toEqual([2, 4, 6, 8, 10])
    for (const snapshot of snapshots) {
      const { step, result } = await run({}, {}, data, snapshot)
      expect(step.values).toEqual(whole.step.values)
      expect(result.evaluations).toEqual(whole.result.evaluations.slice(-result.evaluations.length))
    }
  })

  test("an abort between micro-batches leaves the state of the step before", async () => {
    const abort = new AbortController()
    const step = toyStep(VOCAB)
    let calls = 0
    const stopping: TrainStep = {
      ...step,
      forwardBackward(...given) {
        if (++calls === 5) abort.abort()
        return step.forwardBackward(...given)
      },
    }
    let saved: Snapshot | null = null
    const saveCheckpoint = async (snapshot: Snapshot) => {
      saved = copied(snapshot)
    }
    const result = await train(stopping, data, config, { signal: abort.signal, saveCheckpoint })
    expect(result.step).toBe(2)
    const second = await run({}, {}, data, saved!)
    expect(second.step.values).toEqual((await run()).step.values)
  })

  test("an abort during evaluation repeats that evaluation on resume", async () => {
    const abort = new AbortController()
    const step = toyStep(VOCAB)
    let calls = 0
    const stopping: TrainStep = {
      ...step,
      evaluate(batch) {
        // Two batches an evaluation: the third call is in the one after step 3.
        if (++calls === 3) abort.abort()
        return step.evaluate(batch)
      },
    }
    let saved: Snapshot | null = null
    const saveCheckpoint = async (snapshot: Snapshot) => {
      saved = copied(snapshot)
    }
    const result = await train(stopping, data, config, { signal: abort.signal, saveCheckpoint })
    expect(result).toMatchObject({ status: "interrupted", step: 3 })
    const second = await run({}, {}, data, saved!)
    expect(second.result.evaluations.map(({ step: made }) => made)).toEqual([3, 6, 9, 12])
    expect(second.step.values).toEqual((await run()).step.values)
  })

  test("micro-batches add up to one large batch", async () => {
    const rows = rowsOf(12, "train")
    const source = (batchSize: number, accumulation: number) => ({
      source: exampleSource(rows, { batchSize, accumulation, bucket: 16, seed: 0 }),
      heldout: [],
    })
    const small = toyStep(VOCAB, 0)
    const large = toyStep(VOCAB, 0)
    // With a large eps AdamW does not blow up the last bits of gradients near zero.
    const once = { ...config, epochs: 2, warmup: 0, eps: 1 }
    const parts = await train(small, source(3, 4), once)
    const whole = await train(large, source(12, 1), once)
    expect(parts.step).toBe(2)
    for (const [i, loss] of whole.losses.entries()) expect(parts.losses[i]).toBeCloseTo(loss, 6)
    // Only the order of sums differs.
    for (const [i, value] of large.values.entries()) expect(small.values[i]).toBeCloseTo(value, 5)
  })

  test("ends with the values of the best evaluation", async () => {
    const best: Float32Array[] = []
    // A rate this high overshoots: the last evaluation is not the best.
    const settings = { learningRate: 3, schedule: "constant", warmup: 0, evaluateEvery: 1 } as const
    const saveBest = async (values: Float32Array) => void best.push(values.slice())
    const { step, result } = await run(settings, { saveBest })
    const losses = result.evaluations.map(({ loss }) => loss)
    expect(result.best!.loss).toBe(Math.min(...losses))
    expect(result.best!.step).toBeLessThan(12)
    expect(result.kept).toBe(result.best!.step)
    expect(step.values).toEqual(best.at(-1)!)
    const last = await run({ ...settings, keepBest: false })
    expect(last.result.kept).toBe(12)
    expect(last.step.values).not.toEqual(step.values)
  })

  test("stops early after so many evaluations without gain", async () => {
    const settings = {
      learningRate: 3,
      schedule: "constant",
      warmup: 0,
      evaluateEvery: 1,
      patience: 2,
      epochs: 50,
    } as const
    const { result, events } = await run(settings)
    expect(result.status).toBe("stopped-early")
    expect(result.step).toBe(result.best!.step + 2)
    expect(events.at(-1)).toMatchObject({ type: "run-end", status: "stopped-early" })
  })

  test("warns that it can't stop early without held-out rows", async () => {
    const { events, result } = await run({ patience: 2 }, {}, { ...data, heldout: [] })
    expect(events.filter(({ type }) => type === "warning").length).toBe(1)
    expect(result).toMatchObject({ status: "completed", best: null, kept: 12 })
  })

  test("a loss that is not finite stops the run with the values before it", async () => {
    const step = toyStep(VOCAB)
    let calls = 0
    let before = new Float32Array()
    const failing: TrainStep = {
      ...step,
      async forwardBackward(...given) {
        const loss = await step.forwardBackward(...given)
        if (++calls !== 9) return loss
        before = step.values.slice()
        return Number.NaN
      },
    }
    let saved: Snapshot | null = null
    const saveCheckpoint = async (snapshot: Snapshot) => {
      saved = copied(snapshot)
    }
    const error = await train(failing, data, { ...config, checkpointEvery: null }, { saveCheckpoint }).catch((e) => e)
    expect(isEspalierError(error, "invalid_request")).toBe(true)
    expect(error.message).toBe("Training diverged at step 5: the loss is NaN")
    expect(error.hint).toContain("Lower the learning rate (now 0.1)")
    expect(step.values).toEqual(before)
    expect(saved!.progress.step).toBe(4)
    expect(saved!.values).toEqual(before)
  })

  test("a gradient that is not finite stops the run too", async () => {
    const step = toyStep(VOCAB)
    const failing: TrainStep = {
      ...step,
      async forwardBackward(batch, scale, gradients, seed) {
        const loss = await step.forwardBackward(batch, scale, gradients, seed)
        gradients[3] = Number.POSITIVE_INFINITY
        return loss
      },
    }
    await expect(train(failing, data, config)).rejects.toThrow(
      "Training diverged at step 1: the gradient's norm is Infinity",
    )
  })

  test("ends after maxSteps, and needs it where the data has no end", async () => {
    expect((await run({ maxSteps: 5 })).result.step).toBe(5)
    const endless = {
      heldout: [],
      source: { stepsPerEpoch: null, batches: (step: number) => data.source.batches(step) },
    }
    expect((await run({ maxSteps: 5 }, {}, endless)).result.step).toBe(5)
    await expect(run({}, {}, endless)).rejects.toThrow("Expected maxSteps")
  })

  test("gives each micro-batch a dropout seed of its own, the same on resume", async () => {
    const { step } = await run()
    expect(new Set(step.seeds).size).toBe(step.seeds.length)
    expect((await run()).step.seeds).toEqual(step.seeds)
  })

  test("refuses settings outside their range and a snapshot of another size", async () => {
    await expect(run({ learningRate: Number.NaN })).rejects.toThrow(
      "Expected learningRate to be at least 0 but found NaN",
    )
    await expect(run({ patience: 0 })).rejects.toThrow(
      "Expected patience to be a whole number of at least 1 but found 0",
    )
    const saved = { progress: { step: 1, evaluatedAt: 0, best: null, withoutGain: 0, tokensSeen: 1 }, bestValues: null }
    const three = new Float32Array(3)
    const other: Snapshot = { ...saved, values: three, optimizer: { updates: 1, m: three, v: three } }
    await expect(run({}, {}, data, other)).rejects.toThrow("Expected a snapshot of 49 values but found 3")
  })

  test("lets the event loop turn while the backend never does", async () => {
    let now = 0
    let turned = false
    setTimeout(() => {
      turned = true
    }, 0)
    await run({ maxSteps: 2 }, { clock: () => (now += 60) })
    expect(turned).toBe(true)
  })

  test("breathes as it is told to, after each micro-batch, with the step at hand", async () => {
    const steps = new Set<unknown>()
    let breaths = 0
    await run(
      { maxSteps: 3 },
      {
        async breathe(step) {
          steps.add(step.forwardBackward)
          breaths++
        },
      },
    )
    expect([steps.size, breaths >= 3]).toEqual([1, true])
  })
})
