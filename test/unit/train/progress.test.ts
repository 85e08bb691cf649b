import { describe, expect, test } from "bun:test"
import type { EvaluationEnd, StepEnd, TrainEvent } from "../../../src/train/events.ts"
import { formatBytes, formatCount, formatDuration, liveLine, progressReporter } from "../../../src/train/progress.ts"

const stepEnd = (step: number, steps = 100): StepEnd => ({
  type: "step-end",
  step,
  steps,
  epoch: 0,
  loss: 2,
  learningRate: 1e-3,
  gradNorm: 1,
  tokens: 200,
  positions: 256,
  tokensSeen: 200 * step,
  durationMs: 100,
})
const evaluation: EvaluationEnd = {
  type: "evaluation-end",
  step: 10,
  loss: 1.5,
  perplexity: Math.exp(1.5),
  tokenAccuracy: 0.625,
  labelled: 80,
  epoch: 1,
  isBest: true,
  durationMs: 10,
}

/** Runs events through a reporter, a tick of the clock after each. */
function report(events: readonly TrainEvent[], isTerminal: boolean, tickMs: number): string[] {
  let now = 0
  const written: string[] = []
  const onEvent = progressReporter({
    write: (text) => void written.push(text),
    isTerminal,
    memory: () => 512e6,
    clock: () => now,
  })
  for (const event of events) {
    onEvent(event)
    now += tickMs
  }
  return written
}

const steps = Array.from({ length: 100 }, (_, i) => stepEnd(i + 1))

describe("progressReporter() off a terminal", () => {
  test("writes a line for each twentieth of the run where steps are quick", () => {
    const lines = report(steps, false, 100)
    expect(lines.length).toBe(21)
    expect(lines[0]).toBe("step 1/100 · loss 2.0000 · 2.0k tokens/s · 10 s left · 512 MB\n")
    expect(lines[1]).toStartWith("step 6/100")
    expect(lines.at(-1)).toBe("step 100/100 · loss 2.0000 · 2.0k tokens/s · 0 s left · 512 MB\n")
  })

  test("writes a line about every 10 s where steps are slow", () => {
    const many = Array.from({ length: 40 }, (_, i) => stepEnd(i + 1, 100_000))
    expect(report(many, false, 2500).map((line) => line.split("/")[0])).toEqual(
      Array.from({ length: 10 }, (_, i) => `step ${1 + 4 * i}`),
    )
  })

  test("writes no control sequence", () => {
    const events: TrainEvent[] = [
      { type: "run-start", steps: 100, stepsPerEpoch: 50, trainable: 26_880, resumedAt: 40 },
      ...steps.slice(40),
      evaluation,
      { type: "checkpoint-saved", step: 100, reason: "interval" },
      { type: "warning", message: "careful" },
      { type: "run-end", status: "interrupted", step: 100, best: evaluation, durationMs: 65_000 },
    ]
    const lines = report(events, false, 1)
    for (const control of ["\x1b", "\r"]) expect(lines.join("")).not.toContain(control)
    expect(lines[0]).toBe("Training 26.9k values for 100 steps, resumed after step 40\n")
    expect(lines.slice(-3)).toEqual([
      "after step 10 · held-out loss 1.5000 · perplexity 4.482 · 62.5% of tokens right · best so far\n",
      "Warning: careful\n",
      "Interrupted after step 100 in 1 min 05 s, best held-out loss 1.5000 after step 10\n",
    ])
  })
})

describe("progressReporter() on a terminal", () => {
  test("draws over one line, and puts whole lines above it", () => {
    const written = report([stepEnd(1), stepEnd(2), evaluation, stepEnd(3)], true, 200)
    for (const live of written.slice(0, 2)) {
      expect(live).toStartWith("\r\x1b[2K")
      expect(live).not.toContain("\n")
    }
    expect(written[0]).toMatch(/░+ step 1\/100 /)
    expect(written[1]).toMatch(/█*░+ step 2\/100 /)
    expect(written[2]).toBe(
      "\r\x1b[2Kafter step 10 · held-out loss 1.5000 · perplexity 4.482 · 62.5% of tokens right · best so far\n",
    )
    expect(written[3]).toContain("step 3/100")
  })

  test("draws ten times a second at most, and always the last step", () => {
    const written = report(steps, true, 10)
    expect(written.length).toBe(11)
    expect(written.at(-1)).toContain("step 100/100")
  })

  test("ends below the live line", () => {
    const written = report(
      [stepEnd(1), { type: "run-end", status: "completed", step: 1, best: null, durationMs: 100 }],
      true,
      0,
    )
    expect(written.at(-1)).toBe("\r\x1b[2KDone after step 1 in 0 s\n")
  })
})

describe("liveLine()", () => {
  const figures = { loss: 2, tokensPerSecond: 10, remainingMs: 1000, memoryBytes: null }

  test("never reaches the edge of the terminal", () => {
    for (const columns of [10, 40, 60, 80, 200]) {
      expect(liveLine(stepEnd(50), figures, columns).length).toBeLessThan(columns)
    }
  })

  test("fills the bar as the run goes on", () => {
    const filled = [0, 50, 100].map((step) => liveLine(stepEnd(step), figures, 200).split("█").length - 1)
    expect(filled).toEqual([0, 12, 24])
  })
})

test("figures are short", () => {
  expect([0, 999, 1000, 12_345, 999_949, 999_950, 4.56e6, 2e9].map(formatCount)).toEqual([
    "0",
    "999",
    "1.0k",
    "12.3k",
    "999.9k",
    "1.0M",
    "4.6M",
    "2.0G",
  ])
  expect([0, 59_400, 59_600, 185_000, 7_620_000].map(formatDuration)).toEqual([
    "0 s",
    "59 s",
    "1 min 00 s",
    "3 min 05 s",
    "2 h 07 min",
  ])
  expect([512e6, 1.25e9].map(formatBytes)).toEqual(["512 MB", "1.25 GB"])
})
