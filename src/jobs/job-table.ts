/**
 * @module Jobs as rows. A status changes only from one that the change is meant for, so that a job reaches exactly one end,
 * once, whoever else changes it meanwhile.
 */
import { EspalierError } from "../core/errors.ts"
import type { Database, SqlRow, SqlValue } from "../store/database.ts"
import { isOver, type JobError, type JobRecord, type JobSpec, type JobStatus } from "./job-record.ts"
import { type Page, type PageRequest, pageOf } from "./page.ts"

/** What a new job is made of. */
export type NewJob = Pick<JobRecord, "id" | "owner" | "createdAt" | "baseHash" | "spec" | "modelName" | "metadata">

/** Adds a job whose files are still to be looked at. */
export function addJob(
  database: Database,
  { id, owner, createdAt, baseHash, spec, modelName, metadata }: NewJob,
): void {
  database.run(
    `INSERT INTO jobs (id, owner, created_at, status, base_hash, spec, model_name, metadata, training_sha256, validation_sha256)
     VALUES (?, ?, ?, 'validating_files', ?, ?, ?, ?, ?, ?)`,
    id,
    owner,
    createdAt,
    baseHash,
    JSON.stringify(spec),
    modelName,
    metadata && JSON.stringify(metadata),
    spec.trainingFile.sha256,
    spec.validationFile?.sha256 ?? null,
  )
}

/** A job, or null. */
export function findJob(database: Database, id: string): JobRecord | null {
  const row = database.get("SELECT * FROM jobs WHERE id = ?", id)
  return row && readJob(row)
}

/** Which jobs a list shows. */
export interface JobFilter {
  readonly owner: string
  /** Jobs with all of these; null for those without any metadata; undefined for all. */
  readonly metadata?: Readonly<Record<string, string>> | null
}

/** An owner's jobs in pages. */
export function listJobs(database: Database, { owner, metadata }: JobFilter, page: PageRequest): Page<JobRecord> {
  const conditions = ["owner = ?"]
  const values: SqlValue[] = [owner]
  if (metadata === null) conditions.push("metadata IS NULL")
  for (const [key, value] of Object.entries(metadata ?? {})) {
    conditions.push("EXISTS (SELECT 1 FROM json_each(jobs.metadata) WHERE json_each.key = ? AND json_each.value = ?)")
    values.push(key, value)
  }
  return pageOf(database, "jobs", [conditions.join(" AND "), ...values], page, readJob)
}

/** Jobs of a status in the order of their creation. */
export const jobsIn = (database: Database, status: JobStatus): JobRecord[] =>
  database.all("SELECT * FROM jobs WHERE status = ? ORDER BY seq", status).map(readJob)

/** The job that is to run next over a base, or null. */
export function nextJob(database: Database, baseHash: string): JobRecord | null {
  const row = database.get(
    "SELECT * FROM jobs WHERE status = 'queued' AND paused = 0 AND base_hash = ? ORDER BY seq LIMIT 1",
    baseHash,
  )
  return row && readJob(row)
}

/** How many jobs there are of each status; a status without any is left out. */
export const countJobs = (database: Database): [JobStatus, number][] =>
  database
    .all("SELECT status, count(*) AS n FROM jobs GROUP BY status")
    .map((row) => [String(row["status"]) as JobStatus, Number(row["n"])])

/** What may change in a job. */
export interface JobChange {
  readonly finishedAt?: number
  readonly paused?: boolean
  readonly threads?: number
  readonly step?: number
  readonly steps?: number
  readonly estimatedFinish?: number | null
  readonly trainedTokens?: number
  readonly model?: string
  readonly resultFile?: string | null
  readonly error?: JobError
  readonly crashes?: number
}

/** Changes a job's figures. */
export function changeJob(database: Database, id: string, change: JobChange): void {
  const [columns, values] = columnsOf(change)
  if (columns.length > 0) database.run(`UPDATE jobs SET ${columns.join(", ")} WHERE id = ?`, ...values, id)
}

/**
 * Moves a job from one of some statuses to another.
 * @returns whether it was in one of them; if not, nothing has changed
 */
export function moveJob(
  database: Database,
  id: string,
  from: readonly JobStatus[],
  to: JobStatus,
  change: JobChange = {},
): boolean {
  for (const status of from) {
    if (moves[status].includes(to)) continue
    throw new TypeError(`A job never goes from ${status} to ${to}`)
  }
  const [columns, values] = columnsOf(change)
  const marks = from.map(() => "?").join(", ")
  const sets = ["status = ?", ...columns].join(", ")
  return database.run(`UPDATE jobs SET ${sets} WHERE id = ? AND status IN (${marks})`, to, ...values, id, ...from) > 0
}

/** Where a job may go from where it is. */
const moves: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  validating_files: ["queued", "failed", "cancelled"],
  queued: ["running", "failed", "cancelled"],
  running: ["queued", "succeeded", "failed", "cancelled"],
  succeeded: [],
  failed: [],
  cancelled: [],
}

/** @throws {EspalierError} `conflict` that says what the job's status allows. */
export function refuseMove({ id, status, paused }: JobRecord, what: string): never {
  const state = paused && !isOver(status) ? "paused already" : status
  throw new EspalierError("conflict", `Job ${id} can't be ${what}: it is ${state}`, { param: "fine_tuning_job_id" })
}

/**
 * Whether a model must not be seen though its folder is there: its job did not succeed, or it was deleted. Of a model
 * that no job is known of, the folder alone speaks.
 */
export function isModelHidden(database: Database, model: string): boolean {
  const name = model.replace(/:ckpt-step-\d+$/, "")
  const job = database.get("SELECT status, model_deleted FROM jobs WHERE model_name = ?", name)
  if (!job) return false
  if (name !== model) return database.get("SELECT 1 FROM checkpoints WHERE model = ?", model) === null
  return job["status"] !== "succeeded" || job["model_deleted"] === 1
}

/** Models that were deleted, whose folders a crash may have left. */
export const deletedModels = (database: Database): string[] =>
  database.all("SELECT model_name FROM jobs WHERE model_deleted = 1").map((row) => String(row["model_name"]))

/** Remembers that a job's model was deleted. */
export function markModelDeleted(database: Database, model: string): void {
  database.run("UPDATE jobs SET model_deleted = 1 WHERE fine_tuned_model = ?", model)
}

/** Whose job made a model, or a checkpoint of it; null for what no job made. */
export function ownerOfModel(database: Database, model: string): string | null {
  const row = database.get("SELECT owner FROM jobs WHERE model_name = ?", model.replace(/:ckpt-step-\d+$/, ""))
  return row && String(row["owner"])
}

const columns: Readonly<Record<keyof JobChange, string>> = {
  finishedAt: "finished_at",
  paused: "paused",
  threads: "threads",
  step: "step",
  steps: "steps",
  estimatedFinish: "estimated_finish",
  trainedTokens: "trained_tokens",
  model: "fine_tuned_model",
  resultFile: "result_file",
  error: "error",
  crashes: "crashes",
}

function columnsOf(change: JobChange): [string[], SqlValue[]] {
  const entries = Object.entries(change) as [keyof JobChange, unknown][]
  return [
    entries.map(([key]) => `${columns[key]} = ?`),
    entries.map(([key, value]) => {
      if (key === "error") return JSON.stringify(value)
      return typeof value === "boolean" ? Number(value) : (value as SqlValue)
    }),
  ]
}

function readJob(row: SqlRow): JobRecord {
  const number = (name: string): number | null => (row[name] === null ? null : Number(row[name]))
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]))
  const json = (name: string): unknown => (row[name] === null ? null : JSON.parse(String(row[name])))
  return {
    id: String(row["id"]),
    owner: String(row["owner"]),
    createdAt: Number(row["created_at"]),
    finishedAt: number("finished_at"),
    status: String(row["status"]) as JobStatus,
    paused: row["paused"] !== 0,
    baseHash: String(row["base_hash"]),
    spec: json("spec") as JobSpec,
    metadata: json("metadata") as JobRecord["metadata"],
    threads: number("threads"),
    step: Number(row["step"]),
    steps: number("steps"),
    estimatedFinish: number("estimated_finish"),
    trainedTokens: number("trained_tokens"),
    modelName: String(row["model_name"]),
    model: text("fine_tuned_model"),
    resultFile: text("result_file"),
    error: json("error") as JobError | null,
    crashes: Number(row["crashes"]),
  }
}
