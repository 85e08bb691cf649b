/**
 * @module A runner that trains nothing: it goes through a job's steps when it is let, and leaves a folder as an adapter.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { EspalierError } from "../../src/core/errors.ts"
import { checkpointName, folderOf } from "../../src/jobs/model-name.ts"
import type { JobOutcome, JobRunner, JobWork } from "../../src/jobs/runner.ts"

/** A runner with its reins. */
export interface FakeRunner extends JobRunner {
  /** Jobs that were run, each time that they were. */
  readonly runs: JobWork[]
  readonly forgotten: string[]
  /** Lets so many steps go on; without a call every run goes through. */
  allow(steps: number): void
  /** Steps wait for {@link allow} from now on. */
  hold(): void
  /** The next run throws this. */
  failWith(error: unknown): void
  /** The next run is held back by the gate. */
  holdBack(why: string): void
}

/** Steps of every job, and steps between checkpoints. */
const STEPS = 6
const EVERY = 2

/** A runner that leaves adapters in a store's folder. @param baseHash the base that they say they are for */
export function createFakeRunner(folder: string, baseHash: string): FakeRunner {
  const runs: JobWork[] = []
  const forgotten: string[] = []
  const reached = new Map<string, number>()
  let budget = Number.POSITIVE_INFINITY
  let wake: () => void = () => {}
  let failure: unknown = null
  let heldBack: string | null = null

  const publish = (model: string): void => {
    const path = join(folder, "adapters", folderOf(model))
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, "espalier.json"), JSON.stringify({ base: { hash: baseHash } }))
  }
  return {
    runs,
    forgotten,
    allow(steps) {
      budget += steps
      wake()
    },
    hold() {
      budget = 0
    },
    failWith(error) {
      failure = error
    },
    holdBack(why) {
      heldBack = why
    },
    check({ method }) {
      if (method !== "lora")
        throw new EspalierError("invalid_request", `There is no method "${method}"`, { param: "espalier.method" })
    },
    async forget(job) {
      forgotten.push(job)
    },
    async run(work, { onEvent, onCheckpoint, signal }): Promise<JobOutcome> {
      runs.push(work)
      if (failure !== null) {
        const error = failure
        failure = null
        throw error
      }
      let step = reached.get(work.id) ?? 0
      const total = work.spec.maxSteps ?? STEPS
      onEvent({ type: "started", threads: work.threads ?? 3, steps: total, resumedAt: step })
      onEvent({ type: "message", level: "info", message: "2 rows" })
      while (step < total) {
        while (budget === 0 && !signal.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve
            signal.addEventListener("abort", () => resolve(), { once: true })
          })
        }
        if (signal.aborted) {
          reached.set(work.id, step)
          return { status: "interrupted", step }
        }
        budget--
        step++
        onEvent({ type: "step", step, steps: total, loss: 1 / step, durationMs: 1000, data: { learning_rate: 0.1 } })
        if (step % EVERY === 0 && step < total) {
          const model = checkpointName(work.model, step)
          publish(model)
          await onCheckpoint({ step, model, metrics: { step, train_loss: 1 / step } })
          reached.set(work.id, step)
        }
      }
      onEvent({ type: "evaluation", step, loss: 0.5, tokenAccuracy: 0.75 })
      publish(work.model)
      const why = heldBack
      heldBack = null
      return { status: "completed", step, trainedTokens: 10 * step, heldBack: why, metrics: "step,train_loss\n1,1\n" }
    },
  }
}
