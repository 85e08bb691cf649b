/**
 * @module What a task costs the base, and what replay and the divergence from the frozen base give back.
 */
import { join } from "node:path"
import { espalier } from "../espalier.ts"
import { exampleData } from "./example-data.ts"
import type { Once } from "./ledger.ts"

/** One run. */
export interface ForgettingFigures {
  readonly name: string
  readonly options: readonly string[]
  /** Held-out answers exactly right, from 0 to 1. */
  readonly right: number
  /** The mean over the families of the base's own suite, from 0 to 1, before and after. */
  readonly suite_before: number
  readonly suite_after: number
  /** Mean loss a token of neutral texts, in nats, before and after. */
  readonly loss_before: number
  readonly loss_after: number
}

const runs: readonly (readonly [string, readonly string[]])[] = [
  ["LoRA", []],
  ["LoRA, replay", ["--replay", "0.2"]],
  ["LoRA, divergence", ["--kl", "0.1"]],
  ["LoRA, replay and divergence", ["--replay", "0.2", "--kl", "1"]],
  ["full", ["--method", "full", "--learning-rate", "0.0003"]],
  ["full, replay", ["--method", "full", "--learning-rate", "0.0003", "--replay", "0.2"]],
]

interface TrainResult {
  readonly score_after: number
  readonly retention: {
    readonly score: { readonly before: number; readonly after: number }
    readonly loss: { readonly before: number; readonly after: number }
  }
}

/** @param items items of the suite that retention is measured by */
export async function studyForgetting({
  task,
  folder,
  items,
  once,
  say,
}: {
  task: string
  folder: string
  items: number
  once: Once
  say(text: string): void
}): Promise<ForgettingFigures[]> {
  const all: ForgettingFigures[] = []
  for (const [i, [name, options]] of runs.entries()) {
    const measured = async (): Promise<ForgettingFigures> => {
      say(`forgetting: ${name} ...`)
      const rate = options.includes("--learning-rate") ? [] : ["--learning-rate", "0.003"]
      const { score_after, retention } = await espalier<TrainResult>(
        "train",
        ...exampleData(task),
        "--epochs",
        "8",
        ...rate,
        ...options,
        "--retention-items",
        String(items),
        "--out",
        join(folder, `forgetting-${i}`),
      )
      return {
        name,
        options,
        right: score_after,
        suite_before: retention.score.before,
        suite_after: retention.score.after,
        loss_before: retention.loss.before,
        loss_after: retention.loss.after,
      }
    }
    all.push(await once(`forgetting ${name}`, measured))
  }
  return all
}
