/**
 * @module Jobs trained in a thread of their own, one thread a job: both ends of it. What a run holds is given back with its
 * thread, and a server that dies takes its run along, so that no two ever train the same job.
 */
import { existsSync } from "node:fs"
import { rm } from "node:fs/promises"
import { constants, setPriority } from "node:os"
import { join } from "node:path"
import { parentPort, Worker } from "node:worker_threads"
import { EspalierError } from "../core/errors.ts"
import type {
  JobOutcome,
  JobRunner,
  JobWork,
  RunnerCheckpoint,
  RunnerEvent,
  RunnerHooks,
  TrainHooks,
} from "../jobs/runner.ts"
import { disableEngineTelemetry } from "../runtime/telemetry.ts"
import { endpointOf } from "../serve/endpoint.ts"
import { fromWireError, toWireError, type WireError } from "../serve/protocol.ts"
import { asStorageError } from "../store/storage-full.ts"
import { openPlanBase } from "./plan-base.ts"
import { checkJob } from "./prepare-job.ts"
import { runFolderOf, type TrainerSettings } from "./run-job.ts"

/** To the training thread. */
type ToTrainer =
  | { readonly type: "run"; readonly work: JobWork; readonly settings: TrainerSettings }
  | { readonly type: "abort" }
  /** The checkpoint that was told of is remembered, or could not be. */
  | { readonly type: "kept"; readonly error: WireError | null }

/** From the training thread. */
type FromTrainer =
  | { readonly type: "event"; readonly event: RunnerEvent }
  | { readonly type: "checkpoint"; readonly checkpoint: RunnerCheckpoint }
  | { readonly type: "done"; readonly outcome: JobOutcome }
  | { readonly type: "error"; readonly error: WireError }

/**
 * A runner that starts a thread for each job.
 * @param worker the module that calls {@link hostTrainer}
 */
export function trainingThreads(worker: URL, settings: TrainerSettings): JobRunner {
  const hasSuite = existsSync(join(settings.base, "suite.jsonl"))
  const { base, env } = openPlanBase(settings.base, settings.quantize ?? null)
  return {
    check: (spec) => checkJob(spec, { base, env, hasSuite }),
    forget: (job) => rm(runFolderOf(settings.store, job), { recursive: true, force: true, maxRetries: 3 }),
    async run(work, hooks) {
      // Here, because a Worker of Node or Deno can't: what it sets doesn't reach native code.
      await disableEngineTelemetry()
      const thread = new Worker(worker)
      try {
        return await follow(thread, work, settings, hooks)
      } finally {
        await thread.terminate()
      }
    },
  }
}

function follow(thread: Worker, work: JobWork, settings: TrainerSettings, hooks: RunnerHooks): Promise<JobOutcome> {
  const endpoint = endpointOf(thread)
  const post = (message: ToTrainer): void => endpoint.post(message)
  const abort = (): void => post({ type: "abort" })
  const ended = new AbortController()
  return new Promise<JobOutcome>((resolve, reject) => {
    endpoint.onFailure((cause) => {
      reject(new EspalierError("unavailable", "The training thread ended before the job did", { cause }))
    })
    endpoint.onMessage((data) => {
      const message = data as FromTrainer
      switch (message.type) {
        case "event":
          hooks.onEvent(message.event)
          break
        case "checkpoint":
          hooks.onCheckpoint(message.checkpoint).then(
            () => post({ type: "kept", error: null }),
            (error) => post({ type: "kept", error: toWireError(error) }),
          )
          break
        case "done":
          resolve(message.outcome)
          break
        case "error":
          reject(fromWireError(message.error))
          break
        default:
          message satisfies never
      }
    })
    const { signal } = ended
    hooks.signal.addEventListener("abort", abort, { once: true, signal })
    const leave = (): void => reject(new EspalierError("unavailable", "The run was ended before its checkpoint"))
    hooks.abandoned.addEventListener("abort", leave, { once: true, signal })
    post({ type: "run", work, settings })
    if (hooks.signal.aborted) abort()
  }).finally(() => ended.abort())
}

/** Trains a job. */
export type TrainJob = (work: JobWork, settings: TrainerSettings, hooks: TrainHooks) => Promise<JobOutcome>

/**
 * Trains what the thread that started this one says.
 * @throws {Error} Outside a Worker.
 */
export function hostTrainer(train: TrainJob): void {
  if (parentPort === null) throw new Error("Jobs are trained in a Worker, and this is none")
  const endpoint = endpointOf(parentPort)
  const post = (message: FromTrainer): void => endpoint.post(message)
  const stop = new AbortController()
  let kept: (error: WireError | null) => void = () => {}
  endpoint.onMessage((data) => {
    const message = data as ToTrainer
    if (message.type === "abort") stop.abort()
    else if (message.type === "kept") kept(message.error)
    else {
      stepBack()
      const hooks: TrainHooks = {
        signal: stop.signal,
        onEvent: (event) => post({ type: "event", event }),
        onCheckpoint: (checkpoint) =>
          new Promise((resolve, reject) => {
            kept = (error) => (error ? reject(fromWireError(error)) : resolve())
            post({ type: "checkpoint", checkpoint })
          }),
      }
      train(message.work, message.settings, hooks).then(
        (outcome) => post({ type: "done", outcome }),
        (error) => post({ type: "error", error: toWireError(asStorageError(error)) }),
      )
    }
  })
}

/**
 * Lets requests go first. On Linux a priority is a thread's own, and threads that it starts inherit it; elsewhere it would
 * be the whole server's.
 */
function stepBack(): void {
  if (process.platform !== "linux") return
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // A system that forbids it trains as fast as it serves.
  }
}
