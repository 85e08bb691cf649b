/**
 * @module One training of the study, in a process of its own, and the scores of what it leaves behind on questions that no
 * choice was made by.
 */
import { existsSync } from "node:fs"
import { readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { espalier } from "../espalier.ts"

/** What one training cost, learned and forgot. */
export interface Training {
  readonly trainable: number
  /** Of the weights file that it wrote. */
  readonly file_bytes: number
  /** With the scoring of answers before and after. */
  readonly peak_memory_bytes: number
  /** What the planner said before the run, of the training alone; null where it says nothing. */
  readonly predicted_memory_bytes: number | null
  readonly tokens_per_second: number
  readonly seconds: number
  /** Of the rows kept apart: the least mean loss a token in nats, and answers exactly right, from 0 to 1. */
  readonly validation_loss: number
  readonly validation_right: number
  /** Retention: the mean over the families of the base's own suite, from 0 to 1. */
  readonly suite_before: number
  readonly suite_after: number
  /** Retention: mean loss a token of neutral texts, in nats. */
  readonly loss_before: number
  readonly loss_after: number
}

/** What a training says at its end. */
interface TrainResult {
  readonly trainable: number
  readonly peak_memory_bytes: number
  readonly predicted_memory_bytes: number | null
  readonly duration_ms: number
  readonly tokens_seen: number
  readonly best: { readonly loss: number }
  readonly score_after: number
  readonly retention: {
    readonly score: { readonly before: number; readonly after: number }
    readonly loss: { readonly before: number; readonly after: number }
  }
}

/** Passes over the rows, the same for every training: as many as `espalier train` makes by itself. */
export const EPOCHS = 3

/** Options of a training on an example task; a tenth of its rows is kept apart. */
export const onTask = (task: string): string[] => [
  "--data",
  `examples/data/${task}.train.jsonl`,
  "--epochs",
  String(EPOCHS),
]

/** The weights file that a training left in its folder, of an adapter or of a base of its own. */
const weightsIn = (out: string): string => {
  const adapter = join(out, "adapter_model.safetensors")
  return existsSync(adapter) ? adapter : join(out, "model.safetensors")
}

/** Whether a training left a base of its own. */
export const isBase = (out: string): boolean => !existsSync(join(out, "adapter_config.json"))

/** Bytes of the weights in a folder. */
export const weightBytes = async (out: string): Promise<number> => (await stat(weightsIn(out))).size

/** Trains. @param out where the result goes */
export async function training(out: string, ...options: readonly string[]): Promise<Training> {
  const found = await espalier<TrainResult>("train", ...options, "--samples", "0", "--out", out)
  const { score, loss } = found.retention
  return {
    trainable: found.trainable,
    file_bytes: await weightBytes(out),
    peak_memory_bytes: found.peak_memory_bytes,
    predicted_memory_bytes: found.predicted_memory_bytes,
    tokens_per_second: (1000 * found.tokens_seen) / found.duration_ms,
    seconds: found.duration_ms / 1000,
    validation_loss: found.best.loss,
    validation_right: found.score_after,
    suite_before: score.before,
    suite_after: score.after,
    loss_before: loss.before,
    loss_after: loss.after,
  }
}

/** Peak of resident memory, and what the planner said before; null where it says nothing. */
export type Memory = Pick<Training, "peak_memory_bytes" | "predicted_memory_bytes">

/**
 * A training alone, as the planner means it: ten updates with evaluations and checkpoints between them, and no answers
 * scored before and after, which have sessions of their own.
 */
export async function memoryOf(out: string, ...options: readonly string[]): Promise<Memory> {
  const alone = [
    "--steps",
    "10",
    "--evaluate-every",
    "5",
    "--checkpoint-every",
    "5",
    "--no-score",
    "--retention",
    "off",
  ]
  const found = await espalier<Memory>("train", ...options, ...alone, "--samples", "0", "--out", out)
  return { peak_memory_bytes: found.peak_memory_bytes, predicted_memory_bytes: found.predicted_memory_bytes }
}

/** A model's scores on a suite. */
export interface ModelScores {
  readonly families: readonly { readonly family: string; readonly exact: number }[]
  readonly mean: { readonly all: { readonly exact: number } }
  /** Null where the suite has no texts. */
  readonly text: { readonly perplexity: number } | null
}

interface EvalRecord {
  readonly models: readonly ModelScores[]
}

/** Scores of what a training left, or of the embedded base where `out` is null. @param options of `espalier eval` */
export async function scoresOf(out: string | null, ...options: readonly string[]): Promise<ModelScores> {
  const place = out === null ? [] : isBase(out) ? ["--base", out] : ["--adapter", `it=${out}`]
  const { models } = await espalier<EvalRecord>("eval", ...place, ...options)
  return models.at(-1)!
}

/** Writes held-out rows of tasks as a suite, a family each. */
export async function writeQuestions(path: string, tasks: readonly string[]): Promise<void> {
  const lines: string[] = []
  for (const task of tasks) {
    const rows = (await readFile(`examples/data/${task}.heldout.jsonl`, "utf8")).trim().split("\n")
    for (const row of rows) {
      const { messages } = JSON.parse(row) as { messages: { role: string; content: string }[] }
      lines.push(JSON.stringify({ family: task, messages: messages.slice(0, -1), answer: messages.at(-1)!.content }))
    }
  }
  await writeFile(path, `${lines.join("\n")}\n`)
}

/** Answers exactly right by family, from 0 to 1. */
export const rightByTask = ({ families }: ModelScores): Record<string, number> =>
  Object.fromEntries(families.map(({ family, exact }) => [family, exact]))
