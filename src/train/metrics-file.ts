/**
 * @module The metrics of a run as a JSONL file.
 */
import { openAppendFile } from "../store/append-file.ts"
import type { TrainEvent } from "./events.ts"
import { metricOf, metricsUpTo } from "./metrics.ts"

/** An open metrics file. */
export interface MetricsFile {
  /** Writes the line of an event that has one. */
  onEvent(event: TrainEvent): void
  close(): void
}

/**
 * Opens the metrics file of a run.
 * @param resumedAt updates made before: lines of later ones are dropped, as they will be made again. Null starts afresh.
 */
export async function openMetrics(path: string, resumedAt: number | null = null): Promise<MetricsFile> {
  const file = await openAppendFile(path, (text) => (resumedAt === null ? "" : metricsUpTo(text, resumedAt)))
  return {
    onEvent(event) {
      const metric = metricOf(event)
      if (metric) file.append(JSON.stringify(metric))
    },
    close: () => file.close(),
  }
}
