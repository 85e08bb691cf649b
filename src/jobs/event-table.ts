/**
 * @module What a job tells while it goes on, and its checkpoints, as rows.
 */
import type { Database, SqlRow } from "../store/database.ts"
import type { JobStore } from "./job-store.ts"
import { type Page, type PageRequest, pageOf } from "./page.ts"

/** An event. */
export interface JobEvent {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly level: "info" | "warn" | "error"
  readonly type: "message" | "metrics"
  readonly message: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What an event is made of. */
export interface NewEvent {
  readonly message: string
  /** @default {"info"} */
  readonly level?: JobEvent["level"]
  /** @default {"message"} */
  readonly type?: JobEvent["type"]
  /** @default {{}} */
  readonly data?: JobEvent["data"]
  /** An event of this name is told once, however often a resumed run comes by again. */
  readonly once?: string
}

/** Adds events in their order, all or none. */
export function addEvents({ database, now, newId }: JobStore, job: string, events: readonly NewEvent[]): void {
  database.transaction(() => {
    for (const { message, level = "info", type = "message", data = {}, once } of events) {
      database.run(
        `INSERT INTO events (id, job, once, created_at, level, type, message, data)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, once) DO NOTHING`,
        `ftevent-${newId()}`,
        job,
        once ?? null,
        now(),
        level,
        type,
        message,
        JSON.stringify(data),
      )
    }
  })
}

/** A job's events in pages. */
export const listEvents = (database: Database, job: string, page: PageRequest): Page<JobEvent> =>
  pageOf(database, "events", ["job = ?", job], page, readEvent)

/** Figures of a job's last update; null before the first. */
export function lastMetrics(database: Database, job: string): JobEvent["data"] | null {
  const sql = "SELECT * FROM events WHERE job = ? AND once LIKE 'step-%' ORDER BY seq DESC LIMIT 1"
  const row = database.get(sql, job)
  return row && readEvent(row).data
}

const readEvent = (row: SqlRow): JobEvent => ({
  id: String(row["id"]),
  createdAt: Number(row["created_at"]),
  level: String(row["level"]) as JobEvent["level"],
  type: String(row["type"]) as JobEvent["type"],
  message: String(row["message"]),
  data: JSON.parse(String(row["data"])) as JobEvent["data"],
})

/** A checkpoint that can be talked to. */
export interface JobCheckpoint {
  readonly id: string
  readonly job: string
  readonly createdAt: number
  readonly step: number
  readonly model: string
  readonly metrics: Readonly<Record<string, number>>
}

/** How many checkpoints of a job are kept as models, the latest ones. */
export const CHECKPOINTS_KEPT = 3

/** Adds a checkpoint, unless it is known. @returns models of older ones that are not kept any longer */
export function addCheckpoint(
  { database, now, newId }: JobStore,
  { job, step, model, metrics }: Pick<JobCheckpoint, "job" | "step" | "model" | "metrics">,
): string[] {
  return database.transaction(() => {
    database.run(
      `INSERT INTO checkpoints (id, job, created_at, step, model, metrics)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job, step) DO NOTHING`,
      `ftckpt_${newId()}`,
      job,
      now(),
      step,
      model,
      JSON.stringify(metrics),
    )
    const old = database.all(
      "SELECT model FROM checkpoints WHERE job = ? ORDER BY step DESC LIMIT -1 OFFSET ?",
      job,
      CHECKPOINTS_KEPT,
    )
    for (const row of old) database.run("DELETE FROM checkpoints WHERE model = ?", row["model"]!)
    return old.map((row) => String(row["model"]))
  })
}

/** Forgets a checkpoint whose model is deleted. */
export function removeCheckpoint(database: Database, model: string): void {
  database.run("DELETE FROM checkpoints WHERE model = ?", model)
}

/** Models of a job's checkpoints. */
export const checkpointModels = (database: Database, job: string): string[] =>
  database.all("SELECT model FROM checkpoints WHERE job = ?", job).map((row) => String(row["model"]))

/** A job's checkpoints in pages. */
export const listCheckpoints = (database: Database, job: string, page: PageRequest): Page<JobCheckpoint> =>
  pageOf(database, "checkpoints", ["job = ?", job], page, (row) => ({
    id: String(row["id"]),
    job: String(row["job"]),
    createdAt: Number(row["created_at"]),
    step: Number(row["step"]),
    model: String(row["model"]),
    metrics: JSON.parse(String(row["metrics"])) as Record<string, number>,
  }))
