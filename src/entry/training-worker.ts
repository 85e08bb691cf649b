/**
 * @module The Worker that trains a fine-tuning job.
 */
import { runJob } from "../presets/run-job.ts"
import { hostTrainer } from "../presets/training-thread.ts"

hostTrainer(runJob)
