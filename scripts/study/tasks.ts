/**
 * @module Several tasks by one adapter: all at once, and one after another, with what each order does to the tasks.
 */
import { join } from "node:path"
import type { CurriculumFigures, TaskFigures } from "../../src/cli/train-text.ts"
import { espalier } from "../espalier.ts"

/** Both orders on the same tasks. */
export interface TasksFigures {
  readonly tasks: readonly string[]
  /** Held-out answers exactly right, from 0 to 1, by task. */
  readonly before: readonly number[]
  readonly mixed: readonly number[]
  /** R[i][j]: on task j after training on task i. */
  readonly sequential: readonly (readonly number[])[]
  readonly backward_transfer: number
  readonly forgetting: number
}

/** The file of a result is one run's, so that both have the same seed and as many passes. */
const RECIPE = ["--epochs", "6", "--learning-rate", "0.003", "--retention", "off"]

/** @param tasks sets below examples/data, in the order of the sequence */
export async function studyTasks({
  tasks,
  folder,
  say,
}: {
  tasks: readonly string[]
  folder: string
  say(text: string): void
}): Promise<TasksFigures> {
  const given = tasks.flatMap((task) => ["--task", `${task}=examples/data/${task}.train.jsonl`])
  say("several tasks, mixed ...")
  const mixed = await espalier<{ readonly tasks: readonly TaskFigures[] }>(
    "train",
    ...given,
    ...RECIPE,
    "--mixture",
    "equal",
    "--out",
    join(folder, "mixed"),
  )
  say("several tasks, one after another ...")
  const { curriculum } = await espalier<{ readonly curriculum: CurriculumFigures }>(
    "train",
    ...given,
    ...RECIPE,
    "--order",
    "sequential",
    "--out",
    join(folder, "sequential"),
  )
  return {
    tasks,
    before: mixed.tasks.map(({ score }) => score!.before),
    mixed: mixed.tasks.map(({ score }) => score!.after),
    sequential: curriculum.matrix,
    backward_transfer: curriculum.backwardTransfer!,
    forgetting: curriculum.forgetting!,
  }
}
