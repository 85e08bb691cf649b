/**
 * @module The metrics of a run as the CSV file that OpenAI gives: a line an update.
 */

const COLUMNS = ["step", "train_loss", "full_valid_loss", "full_valid_mean_token_accuracy"] as const

/** @param jsonl the run's metrics file */
export function metricsCsv(jsonl: string): string {
  const rows = new Map<number, Partial<Record<(typeof COLUMNS)[number], number>>>()
  for (const line of jsonl.split("\n")) {
    if (line === "") continue
    const metric = JSON.parse(line) as Record<string, number | undefined>
    const step = metric["global_step"]
    if (step === undefined) continue
    const row = rows.get(step) ?? { step }
    const { loss, eval_loss, eval_mean_token_accuracy } = metric
    rows.set(step, {
      ...row,
      ...(loss !== undefined && { train_loss: loss }),
      ...(eval_loss !== undefined && { full_valid_loss: eval_loss }),
      ...(eval_mean_token_accuracy !== undefined && { full_valid_mean_token_accuracy: eval_mean_token_accuracy }),
    })
  }
  const lines = [...rows.values()].map((row) => COLUMNS.map((column) => row[column] ?? "").join(","))
  return `${[COLUMNS.join(","), ...lines].join("\n")}\n`
}
