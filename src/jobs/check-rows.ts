/**
 * @module Whether a store's rows are what this program wrote. SQLite finds damage in its own structures; a bit that flips
 * inside a text leaves a row that it hands out like any other.
 */
import * as v from "valibot"
import { messageOf } from "../core/errors.ts"
import type { Database } from "../store/database.ts"
import type { JobSpec } from "./job-record.ts"

const file = v.object({ id: v.string(), name: v.string(), sha256: v.string() })
const number = v.nullable(v.number())
const spec = v.object({
  model: v.string(),
  suffix: v.nullable(v.string()),
  seed: v.number(),
  trainingFile: file,
  validationFile: v.nullable(file),
  epochs: v.number(),
  batchSize: v.number(),
  rateMultiplier: v.number(),
  method: v.string(),
  settings: v.record(v.string(), v.unknown()),
  learningRate: number,
  maxSteps: number,
  maxLength: number,
  heldoutPart: v.number(),
  evaluateEvery: number,
  patience: number,
  checkpointEvery: v.number(),
  lossOn: v.picklist(["completion", "all"]),
  maxForgetting: number,
}) satisfies v.GenericSchema<unknown, JobSpec>
const error = v.nullable(v.object({ code: v.string(), message: v.string(), param: v.nullable(v.string()) }))
const texts = v.nullable(v.record(v.string(), v.string()))
const anything = v.unknown()

/** Columns of JSON by table. */
const json: readonly (readonly [table: string, column: string, schema: v.GenericSchema])[] = [
  ["jobs", "spec", spec],
  ["jobs", "metadata", texts],
  ["jobs", "error", error],
  ["events", "data", anything],
  ["checkpoints", "metrics", v.record(v.string(), v.nullable(v.number()))],
]

/** Columns that hold whole numbers, or nothing where that is allowed. */
const whole: readonly (readonly [table: string, columns: readonly string[]])[] = [
  ["files", ["created_at", "bytes"]],
  ["jobs", ["created_at", "finished_at", "threads", "step", "steps", "trained_tokens", "crashes"]],
  ["events", ["created_at"]],
  ["checkpoints", ["created_at", "step"]],
  ["idempotency", ["created_at"]],
]

/** No store will ever be of a later version. */
const FARTHEST = 1000

const statuses = "'validating_files', 'queued', 'running', 'succeeded', 'failed', 'cancelled'"

/** What is wrong with a store's rows, or null. A store without tables is a new one. */
export function damageOf(database: Database): string | null {
  if (database.get("SELECT 1 FROM sqlite_schema LIMIT 1") === null) return null
  const version = Number(database.get("PRAGMA user_version")?.["user_version"])
  // One that is a little ahead was written by a later program, which says so itself.
  if (version < 1 || version > FARTHEST) return `it says to be of version ${version}`
  if (database.get(`SELECT 1 FROM jobs WHERE status NOT IN (${statuses}) LIMIT 1`)) return "a job has no right status"
  if (
    database.get(
      "SELECT 1 FROM events WHERE level NOT IN ('info', 'warn', 'error') OR type NOT IN ('message', 'metrics')",
    )
  )
    return "an event has no right level or type"
  for (const [table, columns] of whole) {
    const wrong = columns.map((column) => `typeof(${column}) NOT IN ('integer', 'null')`).join(" OR ")
    if (database.get(`SELECT 1 FROM ${table} WHERE ${wrong} LIMIT 1`)) return `a row of ${table} has no right number`
  }
  for (const [table, column, schema] of json)
    for (const row of database.all(`SELECT ${column} FROM ${table} WHERE ${column} IS NOT NULL`)) {
      try {
        v.parse(schema, JSON.parse(String(row[column])))
      } catch (error) {
        return `${column} of a row of ${table} is damaged: ${messageOf(error)}`
      }
    }
  return null
}
