/**
 * @module Several tasks by one adapter: all at once, and one after another, with what each order does to the tasks.
 */
import { join } from "node:path"
import type { CurriculumFigures, TaskFigures } from "../../src/cli/train-text.ts"
import { espalier } from "../espalier.ts"
import type { Once } from "./ledger.ts"
import { EPOCHS } from "./training.ts"

/** Both orders on the same tasks. */
export interface TasksFigures {
  readonly tasks: readonly string[]
  /** LoRA's learning rate. */
  readonly rate: number
  /** Held-out answers exactly right, from 0 to 1, by task. */
  readonly before: readonly number[]
  readonly mixed: readonly number[]
  /** R[i][j]: on task j after training on task i. */
  readonly sequential: readonly (readonly number[])[]
  readonly backward_transfer: number
  readonly forgetting: number
}

/**
 * @param tasks sets below examples/data, in the order of the sequence
 * @param rate LoRA's learning rate
 */
export async function studyTasks({
  tasks,
  rate,
  folder,
  once,
  say,
}: {
  tasks: readonly string[]
  rate: number
  folder: string
  once: Once
  say(text: string): void
}): Promise<TasksFigures> {
  const given = tasks.flatMap((task) => ["--task", `${task}=examples/data/${task}.train.jsonl`])
  // Both have the same seed and as many passes.
  const recipe = [...given, "--epochs", String(EPOCHS), "--learning-rate", String(rate), "--retention", "off"]
  const mixed = await once(`tasks at once at ${rate}`, async () => {
    say(`several tasks at once, at ${rate} ...`)
    const options = ["--mixture", "equal", "--out", join(folder, `mixed-${rate}`)]
    const { tasks: found } = await espalier<{ readonly tasks: readonly TaskFigures[] }>("train", ...recipe, ...options)
    return { before: found.map(({ score }) => score!.before), after: found.map(({ score }) => score!.after) }
  })
  const curriculum = await once(`tasks in a row at ${rate}`, async () => {
    say(`several tasks one after another, at ${rate} ...`)
    const options = ["--order", "sequential", "--out", join(folder, `sequential-${rate}`)]
    return (await espalier<{ readonly curriculum: CurriculumFigures }>("train", ...recipe, ...options)).curriculum
  })
  return {
    tasks,
    rate,
    before: mixed.before,
    mixed: mixed.after,
    sequential: curriculum.matrix,
    backward_transfer: curriculum.backwardTransfer!,
    forgetting: curriculum.forgetting!,
  }
}
