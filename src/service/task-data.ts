/**
 * @module Data files as the tasks of a run: each read, split into what is trained on and what is held out, with its
 * held-out rows as questions.
 */
import { EspalierError } from "../core/errors.ts"
import type { Example } from "../data/batch.ts"
import { type DatasetOptions, type DatasetReport, type LoadedDataset, loadDataset } from "../data/dataset.ts"
import { type Question, questionOf } from "../data/question.ts"
import { splitHeldout } from "../data/split.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"

/** A data file. */
export interface DataFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A task's files. */
export interface TaskFiles {
  /** What the task is called in figures. */
  readonly name: string
  readonly data: DataFile
  /** Held-out rows of their own; without them a part of the data is held out. */
  readonly heldout: DataFile | null
}

/** A task that was read. */
export interface Task {
  readonly name: string
  readonly dataset: LoadedDataset
  /** Null where a part of the data is held out. */
  readonly apart: LoadedDataset | null
  readonly reports: { readonly data: DatasetReport; readonly heldout: DatasetReport | null }
  readonly train: readonly Example[]
  readonly heldout: readonly Example[]
  /** Held-out rows as questions. */
  readonly questions: readonly Question[]
}

/** How tasks are read. */
export interface TaskOptions extends DatasetOptions {
  readonly seed: number
  /** The part that is held out where there is no file. */
  readonly heldoutPart: number
}

/**
 * Reads a task's files.
 * @throws {EspalierError} `invalid_file` for unusable data.
 */
export async function loadTask(
  { name, data, heldout }: TaskFiles,
  tokenizer: Tokenizer,
  { seed, heldoutPart, ...options }: TaskOptions,
): Promise<Task> {
  const dataset = await loadDataset(data.name, data.bytes, tokenizer, options)
  const apart = heldout && (await loadDataset(heldout.name, heldout.bytes, tokenizer, options))
  const split = apart
    ? { train: [...dataset.examples], heldout: [...apart.examples] }
    : splitHeldout(dataset.examples, { seed, heldout: heldoutPart })
  return {
    name,
    dataset,
    apart,
    reports: { data: dataset.report, heldout: apart?.report ?? null },
    ...split,
    questions: questionsOf(split.heldout, apart ?? dataset),
  }
}

function questionsOf(examples: readonly Example[], { rows }: LoadedDataset): Question[] {
  return examples.flatMap(({ line }) => {
    const row = rows.get(line)
    const question = row ? questionOf(row) : null
    return question ? [question] : []
  })
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$/

/** @throws {EspalierError} `invalid_request` for names that can't be told apart or stand in a metric's name. */
export function checkTaskNames(names: readonly string[]): void {
  for (const [i, name] of names.entries()) {
    if (!namePattern.test(name))
      throw new EspalierError(
        "invalid_request",
        `Expected a task's name of up to 60 letters, digits, dots, dashes and underscores but found ${JSON.stringify(name)}`,
        { param: "task" },
      )
    if (names.indexOf(name) !== i)
      throw new EspalierError("invalid_request", `Two tasks are called ${name}`, {
        param: "task",
        hint: "Give each a name of its own: --task name=file",
      })
  }
}
