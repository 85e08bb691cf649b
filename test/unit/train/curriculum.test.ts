import { describe, expect, test } from "bun:test"
import { collateSorted, type Example } from "../../../src/data/batch.ts"
import { trainInTurn } from "../../../src/train/curriculum.ts"
import type { TrainEvent } from "../../../src/train/events.ts"
import type { Snapshot } from "../../../src/train/snapshot.ts"
import { exampleSource } from "../../../src/train/source.ts"
import { toyStep } from "../../support/toy-step.ts"

const VOCAB = 5
/** Rows in which `from` is followed by `to`. */
const rows = (from: number, to: number): Example[] =>
  Array.from({ length: 6 }, (_, i) => {
    const ids = Int32Array.of(from, to)
    return { ids, labels: ids, line: i + 1 }
  })
const stage = (name: string, from: number, to: number) => ({
  name,
  source: exampleSource(rows(from, to), { batchSize: 2, seed: 1 }),
  batches: collateSorted(rows(from, to).slice(0, 2), 2),
})
/** What follows 1 is unlearned by the last task. */
const stages = () => [stage("one", 1, 2), stage("two", 3, 4), stage("three", 1, 3)]
const config = { learningRate: 0.3, epochs: 4, checkpointEvery: 2, weightDecay: 0 }
const copy = (snapshot: Snapshot): Snapshot => structuredClone(snapshot)
const score = async () => [{ name: "one", questions: 0, exact: null }]

describe("trainInTurn()", () => {
  test("trains task after task and evaluates all of them after each", async () => {
    const step = toyStep(VOCAB, 0)
    const events: TrainEvent[] = []
    const result = await trainInTurn(step, stages(), config, { score, onEvent: (event) => events.push(event) })
    expect(result).toMatchObject({ status: "completed", step: 36, steps: 36 })
    const accuracies = result.rows.map(({ losses }) => losses.map(({ tokenAccuracy }) => tokenAccuracy))
    expect(accuracies).toEqual([
      [1, 0, 0],
      [1, 1, 0],
      [0, 1, 1],
    ])
    expect(events.filter(({ type }) => type === "run-start")).toHaveLength(1)
    expect(events.filter(({ type }) => type === "run-end")).toHaveLength(1)
    expect(events.flatMap((event) => (event.type === "stage-start" ? [[event.name, event.step]] : []))).toEqual([
      ["one", 0],
      ["two", 12],
      ["three", 24],
    ])
    expect(events.flatMap((event) => (event.type === "step-end" ? [event.step] : []))).toEqual(
      Array.from({ length: 36 }, (_, i) => i + 1),
    )
  })

  test("ends in the same bytes wherever it was stopped and resumed", async () => {
    const whole = toyStep(VOCAB)
    const saved: Snapshot[] = []
    const expected = await trainInTurn(whole, stages(), config, {
      score,
      saveCheckpoint: async (snapshot) => void saved.push(copy(snapshot)),
    })
    expect(new Set(saved.map(({ curriculum }) => curriculum?.stage))).toEqual(new Set([0, 1, 2]))
    expect(saved.some(({ curriculum, progress }) => curriculum?.stage === 1 && progress.step === 0)).toBe(true)
    for (const snapshot of saved) {
      const step = toyStep(VOCAB)
      const { rows, kept, best } = await trainInTurn(step, stages(), config, { score }, snapshot)
      expect(step.values).toEqual(whole.values)
      expect({ rows, kept, best }).toEqual({ rows: expected.rows, kept: expected.kept, best: expected.best })
    }
  })

  test("stops in the middle of a task with what it is at", async () => {
    const stop = new AbortController()
    const saved: Snapshot[] = []
    const result = await trainInTurn(toyStep(VOCAB), stages(), config, {
      score,
      signal: stop.signal,
      saveCheckpoint: async (snapshot) => void saved.push(copy(snapshot)),
      onEvent: (event) => event.type === "step-end" && event.step === 15 && stop.abort(),
    })
    expect(result).toMatchObject({ status: "interrupted", step: 15, steps: 36 })
    expect(saved.at(-1)).toMatchObject({ progress: { step: 3 }, curriculum: { stage: 1 } })
    expect(saved.at(-1)?.curriculum?.rows).toHaveLength(1)
  })
})
