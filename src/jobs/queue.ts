/**
 * @module Runs the jobs of a store one after another. Whatever a client is told stands in the database first; a server that
 * dies at any moment finds there, when it starts again, what was running and goes on with it.
 */
import { isEspalierError, messageOf } from "../core/errors.ts"
import { createExclusive } from "../core/exclusive.ts"
import type { AdapterShelf } from "./adapter-shelf.ts"
import { admitJob, recoverJobs } from "./admission.ts"
import { addEvents } from "./event-table.ts"
import { completeJob, failJob, jobErrorOf } from "./job-end.ts"
import { isOver, type JobRecord } from "./job-record.ts"
import type { JobStore } from "./job-store.ts"
import { changeJob, findJob, jobsIn, moveJob, nextJob, refuseMove } from "./job-table.ts"
import { createListeners } from "./listeners.ts"
import { createRunLog, type RunLog } from "./run-log.ts"
import type { JobOutcome, JobRunner, RunnerCheckpoint } from "./runner.ts"

/** What a queue is made of. */
export interface JobQueueParts {
  readonly store: JobStore
  readonly runner: JobRunner
  readonly shelf: AdapterShelf
  /** Jobs over this base are run; others wait for a server of theirs. */
  readonly baseHash: string
  /** Makes a finished adapter ready to answer. What it throws is told in the job's events and harms nothing. */
  serve(model: string, path: string): Promise<void>
  /** Takes a model away that was served. */
  unserve(model: string): Promise<void>
  /** Gets what is our own fault. */
  onError(error: unknown): void
  /** Milliseconds after which a store that could not be written is tried again. @default {1000} */
  readonly retryMs?: number
}

/** The queue. */
export interface JobQueue {
  /** Looks at a new job's files and lets it in. */
  admit(id: string): void
  /** @throws {EspalierError} `conflict` for a job that is over */
  cancel(job: JobRecord): void
  /** @throws {EspalierError} `conflict` for a job that is over or paused */
  pause(job: JobRecord): void
  /** @throws {EspalierError} `conflict` for a job that is not paused */
  resume(job: JobRecord): void
  /** Calls `listener` whenever a job has something new. @returns a function that ends this */
  subscribe(job: string, listener: () => void): () => void
  /**
   * Stops the running job at a checkpoint; it goes on when the store is opened again.
   * @param graceMs after which its run is given up, and what it did since the checkpoint before. @default no end
   */
  close(graceMs?: number): Promise<void>
}

/** Milliseconds between two writes of a running job's metrics. */
const FLUSH_MS = 500

/** Starts a queue: what was interrupted goes on. */
export function startJobQueue(parts: JobQueueParts): JobQueue {
  const { store, runner, shelf, baseHash, onError, retryMs = 1000 } = parts
  const { database } = store
  const listeners = createListeners()
  const admissions = new Set<Promise<void>>()
  /** One file after another is read through, so that no job overtakes an older one. */
  const turns = createExclusive()
  let running: { readonly id: string; readonly stop: AbortController; readonly leave: AbortController } | null = null
  let closing = false
  let wake: () => void = () => {}
  let woken = false

  const { notify } = listeners
  const tell = (id: string, message: string): void => addEvents(store, id, [{ message }])
  const poke = (): void => {
    woken = true
    wake()
  }

  recoverJobs(store)
  const loop = work()
  for (const { id } of jobsIn(database, "validating_files")) admit(id)

  return {
    admit,
    cancel(job) {
      database.transaction(() => {
        const now = findJob(database, job.id) ?? job
        const change = { finishedAt: store.now(), estimatedFinish: null, paused: false }
        if (isOver(now.status) || !moveJob(database, job.id, [now.status], "cancelled", change)) {
          refuseMove(now, "cancelled")
        }
        tell(job.id, "The job was cancelled")
      })
      if (running?.id === job.id) running.stop.abort()
      else void tidy(job.id).catch(onError)
      notify(job.id)
    },
    pause(job) {
      database.transaction(() => {
        const now = findJob(database, job.id) ?? job
        if (isOver(now.status) || now.paused) refuseMove(now, "paused")
        changeJob(database, job.id, { paused: true, estimatedFinish: null })
        tell(job.id, "The job is paused")
      })
      if (running?.id === job.id) running.stop.abort()
      notify(job.id)
    },
    resume(job) {
      database.transaction(() => {
        const now = findJob(database, job.id) ?? job
        if (isOver(now.status) || !now.paused) refuseMove(now, "resumed")
        changeJob(database, job.id, { paused: false })
        tell(job.id, "The job is resumed")
      })
      notify(job.id)
      poke()
    },
    subscribe: listeners.add,
    async close(graceMs) {
      closing = true
      running?.stop.abort()
      poke()
      const late = graceMs === undefined ? undefined : setTimeout(() => running?.leave.abort(), graceMs)
      await Promise.all([loop, ...admissions])
      clearTimeout(late)
    },
  }

  function admit(id: string): void {
    const admission = turns
      .run(() => admitJob(store, id))
      .then(() => {
        notify(id)
        poke()
      })
      .catch((error: unknown) => {
        onError(error)
        if (!closing) setTimeout(() => closing || admit(id), retryMs)
      })
      .finally(() => admissions.delete(admission))
    admissions.add(admission)
  }

  async function work(): Promise<void> {
    // After whoever started the queue has what it returns.
    await Promise.resolve()
    while (!closing) {
      woken = false
      let delay: number | null = null
      try {
        // What could not be written down when its run ended.
        for (const { id } of jobsIn(database, "running")) moveJob(database, id, ["running"], "queued")
        const job = nextJob(database, baseHash)
        if (job) {
          await runJob(job)
          continue
        }
      } catch (error) {
        onError(error)
        delay = retryMs
      }
      await sleep(delay)
    }
  }

  /** Until there is something new, or for so long. */
  async function sleep(milliseconds: number | null): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      wake = resolve
      if (woken) resolve()
      if (milliseconds !== null) timer = setTimeout(resolve, milliseconds)
    })
    clearTimeout(timer)
  }

  /** @throws What kept the store from being written: the job goes on from its last checkpoint when it can be. */
  async function runJob({ id, spec, modelName: model, threads }: JobRecord): Promise<void> {
    if (!moveJob(database, id, ["queued"], "running")) return
    const [stop, leave] = [new AbortController(), new AbortController()]
    const log = createRunLog(store, id, () => notify(id))
    running = { id, stop, leave }
    const timer = setInterval(() => guarded(log.flush), FLUSH_MS)
    /** What went wrong that is the store's fault and not the job's. */
    const faults: unknown[] = []
    const ours = (work: () => Promise<void>): Promise<void> =>
      work().catch((error: unknown) => {
        faults.push(error)
        throw error
      })
    notify(id)
    try {
      const outcome = await runner.run(
        { id, spec, model, threads },
        {
          signal: stop.signal,
          abandoned: leave.signal,
          onEvent(event) {
            log.hear(event)
            if (event.type === "started") guarded(log.flush)
          },
          onCheckpoint: (checkpoint) => ours(() => keepCheckpoint(log, checkpoint)),
        },
      )
      await ours(() => settle(log, id, model, outcome))
    } catch (error) {
      guarded(log.flush)
      if (faults.length > 0) throw faults[0]
      // A server that is closing has taken its own thread away.
      if (closing && !isEspalierError(error, "invalid_request")) moveJob(database, id, ["running"], "queued")
      else failJob(store, id, "running", jobErrorOf(error))
      if (!isEspalierError(error) || error.code === "internal") onError(error)
    } finally {
      clearInterval(timer)
      running = null
      await tidy(id).catch(onError)
      notify(id)
    }
  }

  async function keepCheckpoint(log: RunLog, checkpoint: RunnerCheckpoint): Promise<void> {
    const old = log.checkpoint(checkpoint)
    await shelf.show(checkpoint.model)
    for (const each of old) {
      await parts.unserve(each)
      await shelf.remove(each)
    }
  }

  async function settle(log: RunLog, id: string, model: string, outcome: JobOutcome): Promise<void> {
    log.flush()
    if (outcome.status === "interrupted") {
      database.transaction(() => {
        // A cancelled job has its end already.
        const isMoved = moveJob(database, id, ["running"], "queued", { step: outcome.step, estimatedFinish: null })
        if (isMoved) tell(id, `The job stopped after step ${outcome.step}`)
      })
      return
    }
    // Whoever hears that the job succeeded may ask its model at once.
    if (outcome.heldBack === null) {
      await shelf.show(model)
      await parts.serve(model, shelf.pathOf(model)).catch((error: unknown) => {
        const message = `The model is loaded at its first request: ${messageOf(error)}`
        guarded(() => addEvents(store, id, [{ message, level: "warn" }]))
      })
    }
    await completeJob(store, id, outcome)
  }

  /** Removes what a job that is over does not need any more. */
  async function tidy(id: string): Promise<void> {
    const job = findJob(database, id)
    if (!job || !isOver(job.status)) return
    await runner.forget(id)
    // Cancelled while its adapter was being published.
    if (job.status === "cancelled") {
      await parts.unserve(job.modelName)
      await shelf.remove(job.modelName)
    }
    await store.removeUnneeded([job.spec.trainingFile.sha256, job.spec.validationFile?.sha256])
  }

  function guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      onError(error)
    }
  }
}
