/**
 * @module Two adapters of two tasks, and each way to make one of them: how far the merge is from the true sum of both, and
 * what it still does of either task.
 */
import { join } from "node:path"
import { mergeMethods } from "../../src/merge/recipe.ts"
import { espalier } from "../espalier.ts"
import { onTask, rightByTask, scoresOf, training, weightBytes, writeQuestions } from "./training.ts"

/** One way to have both. */
export interface MergeFigures {
  readonly name: string
  /** |merged - true sum| / |true sum|; null where nothing was merged. */
  readonly error: number | null
  readonly file_bytes: number
  /** Held-out answers exactly right, from 0 to 1, by task. */
  readonly scores: Readonly<Record<string, number>>
}

interface MergeRecord {
  readonly report: { readonly error: number } | null
}

/** @param tasks two sets of `messages` rows */
export async function studyMerging({
  tasks,
  rate,
  folder,
  say,
}: {
  tasks: readonly [string, string]
  /** LoRA's learning rate. */
  rate: number
  folder: string
  say(text: string): void
}): Promise<MergeFigures[]> {
  const suite = join(folder, "both.jsonl")
  await writeQuestions(suite, tasks)
  const all: MergeFigures[] = []
  const add = async (name: string, out: string, error: number | null): Promise<void> => {
    const scores = rightByTask(await scoresOf(out, "--suite", suite))
    all.push({ name, error, file_bytes: await weightBytes(out), scores })
  }
  const adapters: string[] = []
  for (const task of tasks) {
    say(`merging: lora on ${task} ...`)
    const out = join(folder, `merge-${task}`)
    await training(out, ...onTask(task), "--learning-rate", String(rate))
    adapters.push(out)
    await add(`${task} alone`, out, null)
  }
  for (const method of Object.keys(mergeMethods)) {
    if (method === "product") continue
    say(`merging by ${method} ...`)
    const out = join(folder, `merged-${method}`)
    // Along an arc there is no sum, only a place between the two.
    const weights = method === "slerp" ? [] : ["--weights", "1,1"]
    const { report } = await espalier<MergeRecord>("merge", ...adapters, "--method", method, ...weights, "--out", out)
    await add(method, out, report?.error ?? null)
  }
  return all
}
