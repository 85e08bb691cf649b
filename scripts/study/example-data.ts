/**
 * @module The options that name an example task's rows.
 */

/** Rows to train on, and those that scores are of. */
export const exampleData = (task: string): string[] => [
  "--data",
  `examples/data/${task}.train.jsonl`,
  "--heldout",
  `examples/data/${task}.heldout.jsonl`,
]
