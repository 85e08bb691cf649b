/**
 * @module Runs the jobs of a store one after another. Whatever a client is told stands in the database first; a server that
 * dies at any moment finds there, when it starts again, what was running and goes on with it.
 */

import { encodeUtf8 } from "../core/bytes.ts"
import { type EspalierError, isEspalierError, messageOf } from "../core/errors.ts"
import type { AdapterShelf } from "./adapter-shelf.ts"
import { addCheckpoint, addEvents, type NewEvent } from "./event-table.ts"
import { addFile } from "./file-table.ts"
import { isOver, type JobError, type JobRecord } from "./job-record.ts"
import type { JobStore } from "./job-store.ts"
import { changeJob, findJob, jobsIn, moveJob, nextJob, refuseMove } from "./job-table.ts"
import { dataMessage, evaluationEvent, stepEvent } from "./progress-events.ts"
import type { JobOutcome, JobRunner, RunnerCheckpoint, RunnerEvent } from "./runner.ts"

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
  /** Stops the running job at a checkpoint; it goes on when the store is opened again. */
  close(): Promise<void>
}

/** A job that ends the server so often, without a checkpoint in between, is not tried again. */
const MOST_CRASHES = 20
/** Milliseconds between two writes of a running job's metrics. */
const FLUSH_MS = 500

interface Running {
  readonly id: string
  readonly stop: AbortController
  readonly pending: NewEvent[]
  /** When it may be over, milliseconds since 1970. */
  estimate: number | null
  flush(): void
}

/** Starts a queue: what was interrupted goes on. */
export function startJobQueue(parts: JobQueueParts): JobQueue {
  const { store, runner, shelf, baseHash, onError } = parts
  const { database, contents } = store
  const listeners = new Map<string, Set<() => void>>()
  const admissions = new Set<Promise<void>>()
  let running: Running | null = null
  let closing = false
  let wake: () => void = () => {}
  let woken = false

  const tell = (id: string, ...events: readonly NewEvent[]): void => addEvents(store, id, events)
  const notify = (id: string): void => {
    for (const listener of [...(listeners.get(id) ?? [])]) listener()
  }
  const poke = (): void => {
    woken = true
    wake()
  }

  recover()
  const loop = work()
  for (const { id } of jobsIn(database, "validating_files")) admit(id)

  return {
    admit,
    cancel(job) {
      const events: NewEvent[] = [{ message: "The job was cancelled" }]
      const isMoved = database.transaction(() => {
        const moved = moveJob(database, job.id, ["validating_files", "queued", "running"], "cancelled", {
          finishedAt: store.now(),
          estimatedFinish: null,
        })
        if (moved) tell(job.id, ...events)
        return moved
      })
      if (!isMoved) refuseMove(findJob(database, job.id) ?? job, "cancelled")
      if (running?.id === job.id) running.stop.abort()
      else void tidy(job.id).catch(onError)
      notify(job.id)
    },
    pause(job) {
      database.transaction(() => {
        const now = findJob(database, job.id) ?? job
        if (isOver(now.status) || now.paused) refuseMove(now, "paused")
        changeJob(database, job.id, { paused: true, estimatedFinish: null })
        tell(job.id, { message: "The job is paused" })
      })
      if (running?.id === job.id) running.stop.abort()
      notify(job.id)
    },
    resume(job) {
      database.transaction(() => {
        const now = findJob(database, job.id) ?? job
        if (isOver(now.status) || !now.paused) refuseMove(now, "resumed")
        changeJob(database, job.id, { paused: false })
        tell(job.id, { message: "The job is resumed" })
      })
      notify(job.id)
      poke()
    },
    subscribe(job, listener) {
      const set = listeners.get(job) ?? new Set()
      listeners.set(job, set.add(listener))
      return () => {
        set.delete(listener)
        if (set.size === 0) listeners.delete(job)
      }
    },
    async close() {
      closing = true
      running?.stop.abort()
      poke()
      await Promise.all([loop, ...admissions])
    },
  }

  /** What a server that died left running goes on, at the head of the queue. */
  function recover(): void {
    for (const { id, crashes } of jobsIn(database, "running")) {
      database.transaction(() => {
        if (crashes + 1 > MOST_CRASHES) {
          fail(id, {
            code: "server_crashed",
            message: `The server ended ${crashes + 1} times in the middle of this job without reaching a checkpoint`,
            param: null,
          })
          return
        }
        moveJob(database, id, ["running"], "queued", { crashes: crashes + 1 })
        tell(id, { message: "The server was restarted: the job goes on from its last checkpoint", level: "warn" })
      })
    }
  }

  function admit(id: string): void {
    const admission = validate(id)
      .catch(onError)
      .finally(() => admissions.delete(admission))
    admissions.add(admission)
  }

  /** The files' bytes are still those that were uploaded, every one. */
  async function validate(id: string): Promise<void> {
    const job = findJob(database, id)
    if (job?.status !== "validating_files") return
    const { trainingFile, validationFile } = job.spec
    try {
      for (const file of [trainingFile, validationFile]) if (file) await contents.verify(file.sha256)
    } catch (error) {
      database.transaction(() => fail(id, { ...errorOf(error), param: "training_file" }))
      notify(id)
      return
    }
    database.transaction(() => {
      if (moveJob(database, id, ["validating_files"], "queued")) {
        tell(id, { message: "Files validated, moving job to queued state" })
      }
    })
    notify(id)
    poke()
  }

  async function work(): Promise<void> {
    // After whoever started the queue has what it returns.
    await Promise.resolve()
    while (!closing) {
      woken = false
      const job = nextJob(database, baseHash)
      if (job) {
        await runJob(job).catch(onError)
        continue
      }
      await new Promise<void>((resolve) => {
        wake = resolve
        if (woken) resolve()
      })
    }
  }

  async function runJob(job: JobRecord): Promise<void> {
    const { id, spec, modelName: model } = job
    if (!moveJob(database, id, ["queued"], "running")) return
    const current = start(id)
    running = current
    const timer = setInterval(() => guarded(() => current.flush()), FLUSH_MS)
    notify(id)
    try {
      const outcome = await runner.run(
        { id, spec, model, threads: job.threads },
        {
          signal: current.stop.signal,
          onEvent: (event) => guarded(() => heard(current, event)),
          onCheckpoint: (checkpoint) => keepCheckpoint(current, checkpoint),
        },
      )
      current.flush()
      await settle(id, model, outcome)
    } catch (error) {
      guarded(() => current.flush())
      // A server that is closing has taken its own thread away.
      if (closing && !isEspalierError(error, "invalid_request")) moveJob(database, id, ["running"], "queued")
      else database.transaction(() => fail(id, errorOf(error)))
      if (!isEspalierError(error)) onError(error)
    } finally {
      clearInterval(timer)
      running = null
      const status = findJob(database, id)?.status
      if (status !== undefined && isOver(status)) await tidy(id).catch(onError)
      notify(id)
    }
  }

  function start(id: string): Running {
    const pending: NewEvent[] = []
    return {
      id,
      stop: new AbortController(),
      pending,
      estimate: null,
      flush() {
        if (pending.length === 0) return
        const events = pending.splice(0)
        const last = events.findLast((event) => event.type === "metrics")?.data
        database.transaction(() => {
          tell(id, ...events)
          if (typeof last?.["step"] === "number") {
            changeJob(database, id, { step: last["step"], estimatedFinish: this.estimate })
          }
        })
        notify(id)
      },
    }
  }

  function heard(current: Running, event: RunnerEvent): void {
    switch (event.type) {
      case "started": {
        const { threads, steps, resumedAt } = event
        changeJob(database, current.id, { threads, steps, step: resumedAt })
        current.pending.push(
          resumedAt === 0
            ? { message: "Fine-tuning job started", once: "started" }
            : { message: `Fine-tuning job goes on after step ${resumedAt} of ${steps}` },
        )
        current.flush()
        break
      }
      case "message":
        current.pending.push(dataMessage(event))
        break
      case "step":
        current.pending.push(stepEvent(event))
        current.estimate = Math.round(store.now() + (event.steps - event.step) * event.durationMs)
        break
      case "evaluation":
        current.pending.push(evaluationEvent(event))
        break
      default:
        event satisfies never
    }
  }

  async function keepCheckpoint(current: Running, { step, model, metrics }: RunnerCheckpoint): Promise<void> {
    current.flush()
    const old = database.transaction(() => {
      const removed = addCheckpoint(store, { job: current.id, step, model, metrics })
      changeJob(database, current.id, { crashes: 0 })
      tell(current.id, { message: `Checkpoint created at step ${step}: ${model}`, once: `checkpoint-${step}` })
      return removed
    })
    await shelf.show(model)
    for (const each of old) {
      await parts.unserve(each)
      await shelf.remove(each)
    }
    notify(current.id)
  }

  async function settle(id: string, model: string, outcome: JobOutcome): Promise<void> {
    if (outcome.status === "interrupted") {
      // A cancelled job has its end already.
      moveJob(database, id, ["running"], "queued", { step: outcome.step, estimatedFinish: null })
      if (findJob(database, id)?.paused) tell(id, { message: `The job stopped after step ${outcome.step}` })
      return
    }
    const metrics = await contents.receive(once(encodeUtf8(outcome.metrics)), Number.POSITIVE_INFINITY)
    const done = await store.tidying.run(async () => {
      await metrics.keep()
      return database.transaction(() => finish(id, model, outcome, metrics))
    })
    if (!done) return
    await shelf.show(model)
    await parts.serve(model, shelf.pathOf(model)).catch((error: unknown) => {
      tell(id, { message: `The model is loaded at its first request: ${messageOf(error)}`, level: "warn" })
    })
  }

  /** Writes a run's end. @returns whether its model may be served */
  function finish(
    id: string,
    model: string,
    { step, trainedTokens, heldBack }: Extract<JobOutcome, { status: "completed" }>,
    { sha256, bytes }: { readonly sha256: string; readonly bytes: number },
  ): boolean {
    const job = findJob(database, id)!
    const createdAt = store.now()
    const resultFile = `file-${store.newId()}`
    const change = { finishedAt: createdAt, estimatedFinish: null, step, trainedTokens, resultFile }
    if (heldBack !== null) {
      const error = { code: "held_back", message: heldBack, param: null }
      if (!moveJob(database, id, ["running"], "failed", { ...change, error })) return false
      tell(id, { message: heldBack, level: "error" })
    } else {
      if (!moveJob(database, id, ["running"], "succeeded", { ...change, model })) return false
      tell(id, { message: `New fine-tuned model created: ${model}` }, { message: "The job has successfully completed" })
    }
    const file = { id: resultFile, owner: job.owner, createdAt, filename: "step_metrics.csv", sha256, bytes }
    addFile(database, { ...file, purpose: "fine-tune-results" })
    return heldBack === null
  }

  function fail(id: string, error: JobError): void {
    const change = { finishedAt: store.now(), estimatedFinish: null, error }
    if (moveJob(database, id, from(id), "failed", change)) {
      tell(id, { message: `The job failed: ${error.message}`, level: "error" })
    }
  }

  function from(id: string): ("validating_files" | "queued" | "running")[] {
    const status = findJob(database, id)?.status
    return status === "validating_files" || status === "queued" || status === "running" ? [status] : ["running"]
  }

  /** Removes what a job that is over does not need any more. */
  async function tidy(id: string): Promise<void> {
    const job = findJob(database, id)
    if (!job || !isOver(job.status)) return
    await runner.forget(id)
    // Cancelled while its adapter was being published.
    if (job.status === "cancelled") await shelf.remove(job.modelName)
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

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}

/** What went wrong, without anything that is nobody's business. */
function errorOf(error: unknown): JobError {
  if (!isEspalierError(error) || error.code === "internal") {
    return { code: "internal", message: "The training run failed: the server's log says why", param: null }
  }
  const { code, message, hint, param } = error as EspalierError
  return { code, message: hint === undefined ? message : `${message}. ${hint}`, param: param ?? null }
}
