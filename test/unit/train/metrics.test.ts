import { describe, expect, test } from "bun:test"
import type { StepEnd } from "../../../src/train/events.ts"
import { lossesIn, metricOf, metricsUpTo } from "../../../src/train/metrics.ts"

const stepEnd: StepEnd = {
  type: "step-end",
  step: 3,
  steps: 9,
  epoch: 1 / 3,
  loss: 1.5,
  learningRate: 1e-3,
  gradNorm: 0.25,
  tokens: 100,
  positions: 128,
  tokensSeen: 300,
  durationMs: 50,
}

describe("metricOf()", () => {
  test("names a step's figures as TRL does", () => {
    expect(metricOf(stepEnd)).toEqual({
      global_step: 3,
      epoch: 0.3333,
      loss: 1.5,
      learning_rate: 1e-3,
      grad_norm: 0.25,
      num_tokens: 300,
      tokens_per_second: 2000,
    })
  })

  test("gives a finite speed for a step that took no time", () => {
    expect(metricOf({ ...stepEnd, durationMs: 0 })!["tokens_per_second"]).toBe(1e8)
  })

  test("puts eval_ before an evaluation's figures", () => {
    const evaluation = { step: 4, loss: 2, perplexity: 7.5, tokenAccuracy: 0.5, labelled: 10 }
    expect(metricOf({ type: "evaluation-end", ...evaluation, epoch: 2, isBest: true, durationMs: 1500 })).toEqual({
      global_step: 4,
      epoch: 2,
      eval_loss: 2,
      eval_mean_token_accuracy: 0.5,
      eval_perplexity: 7.5,
      eval_runtime: 1.5,
    })
  })

  test("has no line for other events", () => {
    expect(metricOf({ type: "checkpoint-saved", step: 1, reason: "interval" })).toBeNull()
    expect(metricOf({ type: "warning", message: "w" })).toBeNull()
  })
})

describe("metricsUpTo()", () => {
  test("keeps whole lines up to the step, and drops later, torn and foreign ones", () => {
    const kept = '{"global_step":1,"loss":2}\n{"global_step":2,"eval_loss":2}\n'
    expect(metricsUpTo(`${kept}{"global_step":3}\n\nnull\n{}\noops\n{"global_step":2,"lo`, 2)).toBe(kept)
    expect(metricsUpTo("", 5)).toBe("")
  })

  test("finishes a last line that lacks its newline", () => {
    expect(metricsUpTo('{"global_step":1}', 1)).toBe('{"global_step":1}\n')
  })
})

test("lossesIn() reads the losses of updates and passes over evaluations", () => {
  expect(
    lossesIn('{"global_step":1,"loss":2}\n{"global_step":1,"eval_loss":9}\n{"global_step":2,"loss":1.5}\n{"glo'),
  ).toEqual([2, 1.5])
})
