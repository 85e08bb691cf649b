/**
 * @module What a task costs the base, and what a lower rate, replay and the divergence from the frozen base give back.
 */
import { join } from "node:path"
import type { Setting } from "./methods.ts"
import { onTask, type Training, training } from "./training.ts"

/** One run. */
export interface ForgettingFigures extends Training {
  readonly name: string
  readonly options: readonly string[]
}

const rate = (value: string): readonly string[] => ["--learning-rate", value]
const full = ["--method", "full"]

/** At rates high enough to cost something. */
const runs: readonly (readonly [string, readonly string[]])[] = [
  ["LoRA", rate("0.003")],
  ["LoRA, a third of the rate", rate("0.001")],
  ["LoRA, replay", [...rate("0.003"), "--replay", "0.2"]],
  ["LoRA, divergence", [...rate("0.003"), "--kl", "0.1"]],
  ["LoRA, replay and divergence", [...rate("0.003"), "--replay", "0.2", "--kl", "1"]],
  ["full", [...full, ...rate("0.0003")]],
  ["full, replay", [...full, ...rate("0.0003"), "--replay", "0.2"]],
]

/** Trains with each remedy. */
export async function studyForgetting({ task, folder, items, once, say }: Setting): Promise<ForgettingFigures[]> {
  const all: ForgettingFigures[] = []
  for (const [i, [name, options]] of runs.entries()) {
    const measure = async (): Promise<ForgettingFigures> => {
      say(`forgetting: ${name} ...`)
      const wider = ["--retention-items", String(24 * items)]
      return {
        name,
        options,
        ...(await training(join(folder, `forgetting-${i}`), ...onTask(task), ...options, ...wider)),
      }
    }
    all.push(await once(`forgetting ${name}`, measure))
  }
  return all
}
