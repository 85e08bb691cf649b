import { describe, expect, test } from "bun:test"
import { rateFactor, type Schedule, type ScheduleName, scheduleNames } from "../../../src/train/schedule.ts"

/** Made with transformers 5.18: get_scheduler(name, optimizer, num_warmup_steps=3, num_training_steps=10). */
const transformers: Record<ScheduleName, number[]> = {
  constant: [0, 1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1, 1, 1],
  linear: [
    0, 0.3333333333333333, 0.6666666666666666, 1, 0.8571428571428571, 0.7142857142857143, 0.5714285714285714,
    0.42857142857142855, 0.2857142857142857, 0.14285714285714285, 0,
  ],
  cosine: [
    0, 0.3333333333333333, 0.6666666666666666, 1, 0.9504844339512095, 0.8117449009293668, 0.6112604669781572,
    0.38873953302184283, 0.18825509907063326, 0.04951556604879048, 0,
  ],
  // get_wsd_schedule(optimizer, num_warmup_steps=3, num_decay_steps=2, num_training_steps=10, decay_type="linear")
  wsd: [0, 1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1, 0.5, 0],
}

describe("rateFactor()", () => {
  for (const name of scheduleNames) {
    test(`${name} is that of transformers`, () => {
      for (const [step, factor] of transformers[name].entries()) {
        expect(rateFactor({ name, steps: 10, warmupSteps: 3 }, step)).toBeCloseTo(factor, 12)
      }
    })
  }

  test("starts at the peak without warm-up", () => {
    for (const name of scheduleNames) expect(rateFactor({ name, steps: 10 }, 0)).toBe(1)
  })

  test("ends at the floor", () => {
    const at = (name: ScheduleName, step: number) => rateFactor({ name, steps: 10, floor: 0.1 }, step)
    expect(at("linear", 10)).toBeCloseTo(0.1, 12)
    expect(at("cosine", 10)).toBeCloseTo(0.1, 12)
    expect(at("cosine", 5)).toBeCloseTo(0.55, 12)
    expect(at("constant", 10)).toBe(1)
    expect(at("wsd", 10)).toBeCloseTo(0.1, 12)
    expect(at("wsd", 9)).toBeCloseTo(0.55, 12)
    expect(at("wsd", 8)).toBe(1)
  })

  test("stays within 0 and 1 in a run that is all warm-up", () => {
    const schedule: Schedule = { name: "cosine", steps: 4, warmupSteps: 8 }
    for (let step = 0; step <= 4; step++) expect(rateFactor(schedule, step)).toBe(step / 8)
  })
})
