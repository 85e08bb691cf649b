/**
 * @module The metrics of a run as CSV.
 */
import { expect, test } from "bun:test"
import { metricsCsv } from "../../../src/jobs/metrics-csv.ts"

test("a line an update, evaluations beside the update that they came after", () => {
  const lines = [
    { global_step: 0, eval_loss: 2, eval_mean_token_accuracy: 0.5 },
    { global_step: 1, loss: 1.5, learning_rate: 0.1 },
    { global_step: 2, loss: 1 },
    { global_step: 2, eval_loss: 0.25, eval_mean_token_accuracy: 1 },
    { global_step: 2, eval_job_exact: 1 },
  ]
  expect(metricsCsv(`${lines.map((line) => JSON.stringify(line)).join("\n")}\n`)).toBe(
    "step,train_loss,full_valid_loss,full_valid_mean_token_accuracy\n0,,2,0.5\n1,1.5,,\n2,1,0.25,1\n",
  )
})
