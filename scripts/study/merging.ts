/**
 * @module Two adapters of two tasks, and each way to make one of them: how far the merge is from the true sum of both, and
 * what it still does of either task.
 */
import { readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { mergeMethods } from "../../src/merge/recipe.ts"
import { espalier } from "../espalier.ts"

/** One way to have both. */
export interface MergeFigures {
  readonly name: string
  /** |merged - true sum| / |true sum|; null where nothing was merged. */
  readonly error: number | null
  readonly file_bytes: number
  /** Held-out answers exactly right, from 0 to 1, by task. */
  readonly scores: Readonly<Record<string, number>>
}

interface SuiteRecord {
  readonly models: readonly { readonly families: readonly { readonly family: string; readonly exact: number }[] }[]
}
interface MergeRecord {
  readonly report: { readonly error: number } | null
}

/** The held-out rows of tasks as a suite, a family each. */
async function writeSuite(path: string, tasks: readonly string[]): Promise<void> {
  const lines: string[] = []
  for (const task of tasks) {
    const rows = (await readFile(`examples/data/${task}.heldout.jsonl`, "utf8")).trim().split("\n")
    for (const row of rows) {
      const { messages } = JSON.parse(row) as { messages: { role: string; content: string }[] }
      const answer = messages.at(-1)!.content
      lines.push(JSON.stringify({ family: task, messages: messages.slice(0, -1), answer }))
    }
  }
  await writeFile(path, `${lines.join("\n")}\n`)
}

const sizeOf = async (adapter: string): Promise<number> => (await stat(join(adapter, "adapter_model.safetensors"))).size

/** @param tasks two sets of `messages` rows */
export async function studyMerging({
  tasks,
  folder,
  say,
}: {
  tasks: readonly [string, string]
  folder: string
  say(text: string): void
}): Promise<MergeFigures[]> {
  const suite = join(folder, "both.jsonl")
  await writeSuite(suite, tasks)
  const adapters: string[] = []
  for (const task of tasks) {
    say(`lora on ${task} ...`)
    const out = join(folder, `lora-${task}`)
    const recipe = ["--epochs", "8", "--learning-rate", "0.003", "--no-score", "--retention", "off"]
    await espalier("train", "--data", `examples/data/${task}.train.jsonl`, ...recipe, "--out", out)
    adapters.push(out)
  }
  const scoresOf = async (path: string): Promise<Record<string, number>> => {
    const { models } = await espalier<SuiteRecord>("eval", "--suite", suite, "--adapter", `it=${path}`)
    return Object.fromEntries(models[1]!.families.map(({ family, exact }) => [family, exact]))
  }
  const all: MergeFigures[] = []
  for (const [i, task] of tasks.entries())
    all.push({
      name: `${task} alone`,
      error: null,
      file_bytes: await sizeOf(adapters[i]!),
      scores: await scoresOf(adapters[i]!),
    })
  for (const method of Object.keys(mergeMethods)) {
    if (method === "product") continue
    say(`merge by ${method} ...`)
    const out = join(folder, `merged-${method}`)
    // Along an arc there is no sum, only a place between the two.
    const weights = method === "slerp" ? [] : ["--weights", "1,1"]
    const { report } = await espalier<MergeRecord>("merge", ...adapters, "--method", method, ...weights, "--out", out)
    all.push({ name: method, error: report?.error ?? null, file_bytes: await sizeOf(out), scores: await scoresOf(out) })
  }
  return all
}
