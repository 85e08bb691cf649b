/**
 * @module What a run tells, written down: now and then, all at once, and before anything that is built on it. What could
 * not be written stays for the next time.
 */
import { addCheckpoint, addEvents, type NewEvent } from "./event-table.ts"
import type { JobStore } from "./job-store.ts"
import { changeJob, type JobChange } from "./job-table.ts"
import { dataMessage, evaluationEvent, stepEvent } from "./progress-events.ts"
import type { RunnerCheckpoint, RunnerEvent } from "./runner.ts"

/** The log of one run. */
export interface RunLog {
  hear(event: RunnerEvent): void
  /** Writes what was heard. */
  flush(): void
  /** Writes a checkpoint, with all that was heard before it. @returns models of older ones that are not kept any longer */
  checkpoint(checkpoint: RunnerCheckpoint): string[]
}

/** @param notify called when something was written */
export function createRunLog(store: JobStore, id: string, notify: () => void): RunLog {
  const { database } = store
  const pending: NewEvent[] = []
  let change: JobChange = {}
  const write = <T>(more: () => T): T => {
    const [events, changed] = [[...pending], change]
    const result = database.transaction(() => {
      addEvents(store, id, events)
      changeJob(database, id, changed)
      return more()
    })
    pending.splice(0, events.length)
    change = {}
    notify()
    return result
  }
  return {
    hear(event) {
      switch (event.type) {
        case "started": {
          const { threads, steps, resumedAt } = event
          change = { ...change, threads, steps, step: resumedAt }
          pending.push(
            resumedAt === 0
              ? { message: "Fine-tuning job started", once: "started" }
              : { message: `Fine-tuning job goes on after step ${resumedAt} of ${steps}` },
          )
          break
        }
        case "message":
          pending.push(dataMessage(event))
          break
        case "step": {
          const { step, steps, durationMs } = event
          pending.push(stepEvent(event))
          change = { ...change, step, estimatedFinish: Math.round(store.now() + (steps - step) * durationMs) }
          break
        }
        case "evaluation":
          pending.push(evaluationEvent(event))
          break
        default:
          event satisfies never
      }
    },
    flush() {
      if (pending.length > 0) write(() => {})
    },
    checkpoint: ({ step, model, metrics }) =>
      write(() => {
        changeJob(database, id, { crashes: 0 })
        addEvents(store, id, [{ message: `Checkpoint created at step ${step}: ${model}`, once: `checkpoint-${step}` }])
        return addCheckpoint(store, { job: id, step, model, metrics })
      }),
  }
}
