/**
 * @module What a scrape shows of files and fine-tuning jobs: read from the store, so that a restart resets nothing.
 */
import { lastMetrics } from "../../jobs/event-table.ts"
import { countFiles } from "../../jobs/file-table.ts"
import type { JobStatus } from "../../jobs/job-record.ts"
import { countJobs, jobsIn } from "../../jobs/job-table.ts"
import type { Database } from "../../store/database.ts"
import { gauge, gauges, type Metric } from "./registry.ts"

const STATUSES: readonly JobStatus[] = ["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]

/** The metrics as they are now. */
export function jobMetrics(database: Database): Metric[] {
  const counts = new Map(countJobs(database))
  const { files, bytes } = countFiles(database)
  const [running] = jobsIn(database, "running")
  const loss = running && lastMetrics(database, running.id)?.["train_loss"]
  return [
    gauges(
      "espalier_jobs",
      "Fine-tuning jobs by status.",
      STATUSES.map((status) => [{ status }, counts.get(status) ?? 0]),
    ),
    gauge("espalier_training_step", "Updates that the running job has made; 0 where none runs.", running?.step ?? 0),
    gauge("espalier_training_steps", "Updates of the whole running job; 0 where none runs.", running?.steps ?? 0),
    ...(typeof loss === "number" ? [gauge("espalier_training_loss", "Loss of its last update.", loss)] : []),
    gauge("espalier_files", "Files that are kept.", files),
    gauge("espalier_file_bytes", "Bytes of those files.", bytes),
  ]
}
