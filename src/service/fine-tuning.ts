/**
 * @module /v1/fine_tuning/jobs: what a client can do with jobs. What runs them is the queue (`jobs/queue.ts`).
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import { addEvents, listCheckpoints, listEvents } from "../jobs/event-table.ts"
import { findFile } from "../jobs/file-table.ts"
import { isOver, type JobFile, type JobRecord } from "../jobs/job-record.ts"
import type { JobStore } from "../jobs/job-store.ts"
import { addJob, countJobs, findJob, listJobs } from "../jobs/job-table.ts"
import { modelName } from "../jobs/model-name.ts"
import type { JobQueue } from "../jobs/queue.ts"
import type { JobRunner } from "../jobs/runner.ts"
import type { EngineInfo } from "../serve/engine-api.ts"
import type { Database } from "../store/database.ts"
import { createOnce } from "../store/idempotency.ts"
import { checked } from "./check.ts"
import type { Caller } from "./form-part.ts"
import { checkpointObject, eventObject, jobObject } from "./job-objects.ts"
import { metadataFilter, specOf } from "./job-request.ts"
import {
  type JobCheckpointObject,
  type JobEventObject,
  type JobObject,
  jobListQuery,
  jobRequest,
  type PageBody,
  pageBody,
} from "./jobs-wire.ts"

/** What a query string says. */
export type Query = Readonly<Record<string, string>>

/** What a client can do with jobs. Each throws `not_found` for a job that is none of the caller's. */
export interface JobService {
  /**
   * Takes a job in; what it answers is on disk.
   * @param body the parsed JSON of the request
   * @throws {EspalierError} `invalid_request`, `not_found` or `unsupported` naming the field
   */
  create(body: unknown, caller?: Caller): Promise<JobObject>
  list(query: Query, caller?: Caller): PageBody<JobObject>
  retrieve(id: string, caller?: Caller): JobObject
  /** @throws {EspalierError} `conflict` for a job that is over */
  cancel(id: string, caller?: Caller): JobObject
  /** The job stops at a checkpoint and waits. @throws {EspalierError} `conflict` for a job that is over or paused */
  pause(id: string, caller?: Caller): JobObject
  /** @throws {EspalierError} `conflict` for a job that is not paused */
  resume(id: string, caller?: Caller): JobObject
  /** Newest first. */
  events(id: string, query: Query, caller?: Caller): PageBody<JobEventObject>
  /** Oldest first, to the end of the job, or until `signal`. */
  followEvents(id: string, query: Query, signal: AbortSignal, caller?: Caller): AsyncIterable<JobEventObject>
  /** Newest first. */
  checkpoints(id: string, query: Query, caller?: Caller): PageBody<JobCheckpointObject>
  /**
   * Stops the running job at a checkpoint and ends what follows events.
   * @param graceMs after which the run is given up, and what it did since the checkpoint before. @default no end
   */
  close(graceMs?: number): Promise<void>
}

/** Events that are read from the store at once. */
const EVENTS_AT_ONCE = 100

/** Jobs that may wait and run. */
const MOST_JOBS = 1000
/** Seconds after which a full queue of jobs may well have moved on; clients heed no more than this. */
const RETRY_SECONDS = 60

/** @throws {EspalierError} `queue_full` where as many jobs wait as may. */
function checkRoom(database: Database): void {
  const unfinished = countJobs(database).reduce((sum, [status, n]) => sum + (isOver(status) ? 0 : n), 0)
  if (unfinished < MOST_JOBS) return
  throw new EspalierError("queue_full", `${unfinished} jobs are waiting, as many as this server takes`, {
    retryAfter: RETRY_SECONDS,
  })
}

/** Jobs over a store. @param base the one that is served and trained over */
export function createJobService(
  store: JobStore,
  queue: JobQueue,
  runner: JobRunner,
  base: Pick<EngineInfo, "base" | "baseHash">,
): JobService {
  const { database, now, newId } = store
  const closing = new AbortController()
  const found = (id: string, { owner = "" }: Caller = {}): JobRecord => {
    const job = findJob(database, id)
    if (job?.owner === owner) return job
    throw new EspalierError("not_found", `There is no fine-tuning job "${id.slice(0, 100)}"`, {
      param: "fine_tuning_job_id",
    })
  }
  const fileOf = (id: string, owner: string, param: string): JobFile => {
    const file = findFile(database, owner, id)
    if (!file) throw new EspalierError("not_found", `There is no file "${id}"`, { param })
    if (file.purpose === "fine-tune") return { id, name: file.filename, sha256: file.sha256 }
    throw new EspalierError("invalid_request", `Expected a file for "fine-tune" but found one for "${file.purpose}"`, {
      param,
    })
  }
  const changed =
    (change: (job: JobRecord) => void) =>
    (id: string, caller?: Caller): JobObject => {
      change(found(id, caller))
      return jobObject(found(id, caller))
    }
  const pageOf = (query: Query) => {
    const { limit, after } = checked(jobListQuery, query)
    return { limit, after: after ?? null, order: "desc" as const }
  }
  return {
    async create(body, { owner = "", idempotencyKey } = {}) {
      const bodySha256 = await sha256Hex(encodeUtf8(JSON.stringify(body)))
      let isNew = false
      const creation = { owner, scope: "job", key: idempotencyKey, bodySha256, now: now() }
      const answer = createOnce(database, creation, (): JobObject => {
        const request = checked(jobRequest, body)
        checkRoom(database)
        if (request.model !== base.base) {
          throw new EspalierError("not_found", `The model "${request.model}" can't be fine-tuned here`, {
            param: "model",
            hint: `This server trains over ${base.base}`,
          })
        }
        const id = `ftjob-${newId()}`
        const spec = specOf(request, {
          training: fileOf(request.training_file, owner, "training_file"),
          validation:
            request.validation_file == null ? null : fileOf(request.validation_file, owner, "validation_file"),
          seed: Number.parseInt(newId().slice(0, 7), 16),
        })
        runner.check(spec)
        addJob(database, {
          ...{ id, owner, spec, createdAt: now(), baseHash: base.baseHash },
          modelName: modelName(spec.model, spec.suffix, id),
          metadata: request.metadata ?? null,
        })
        addEvents(store, id, [
          { message: `Created fine-tuning job: ${id}` },
          { message: `Validating training file: ${spec.trainingFile.id}` },
          ...(spec.validationFile ? [{ message: `Validating validation file: ${spec.validationFile.id}` }] : []),
        ])
        isNew = true
        return jobObject(findJob(database, id)!)
      })
      if (isNew) queue.admit(answer.id)
      return answer
    },
    list(query, { owner = "" } = {}) {
      const metadata = metadataFilter(query)
      const filter = { owner, ...(metadata !== undefined && { metadata }) }
      const { items, hasMore } = listJobs(database, filter, pageOf(query))
      return pageBody(items.map(jobObject), hasMore)
    },
    retrieve: (id, caller) => jobObject(found(id, caller)),
    cancel: changed((job) => queue.cancel(job)),
    pause: changed((job) => queue.pause(job)),
    resume: changed((job) => queue.resume(job)),
    events(id, query, caller) {
      const { items, hasMore } = listEvents(database, found(id, caller).id, pageOf(query))
      return pageBody(items.map(eventObject), hasMore)
    },
    followEvents(id, query, signal, caller) {
      const { after } = pageOf(query)
      found(id, caller)
      // A cursor that is none is refused before anything is sent.
      listEvents(database, id, { limit: 1, after, order: "asc" })
      return follow(id, after, AbortSignal.any([signal, closing.signal]))
    },
    checkpoints(id, query, caller) {
      const { items, hasMore } = listCheckpoints(database, found(id, caller).id, pageOf(query))
      return pageBody(items.map(checkpointObject), hasMore)
    },
    async close(graceMs) {
      closing.abort()
      await queue.close(graceMs)
    },
  }

  async function* follow(
    id: string,
    after: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<JobEventObject, void, undefined> {
    let wake: () => void = () => {}
    const onNews = (): void => wake()
    const unsubscribe = queue.subscribe(id, onNews)
    signal.addEventListener("abort", onNews, { once: true })
    let last = after
    try {
      while (!signal.aborted) {
        // Whatever happens from here on wakes this up.
        const news = new Promise<void>((resolve) => {
          wake = resolve
        })
        const isLast = isOver(findJob(database, id)!.status)
        const { items, hasMore } = listEvents(database, id, { limit: EVENTS_AT_ONCE, after: last, order: "asc" })
        for (const event of items) {
          yield eventObject(event)
          last = event.id
        }
        if (hasMore) continue
        if (isLast) return
        await news
      }
    } finally {
      unsubscribe()
      signal.removeEventListener("abort", onNews)
    }
  }
}
