/**
 * @module Every method on one task: what it trains, what it costs, what it learns, what it forgets.
 */
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import type { Method } from "../../src/method.ts"
import { espalier } from "../espalier.ts"
import { exampleData } from "./example-data.ts"
import type { Once } from "./ledger.ts"

/** One method's figures. */
export interface MethodFigures {
  readonly method: string
  /** What was set beyond the defaults. */
  readonly settings: readonly string[]
  readonly trainable: number
  /** Of the weights file. */
  readonly file_bytes: number
  readonly peak_memory_bytes: number
  /** What the planner said before the run; null where it says nothing. */
  readonly predicted_memory_bytes: number | null
  readonly tokens_per_second: number
  readonly seconds: number
  /** Held-out answers exactly right, from 0 to 1. */
  readonly before: number
  readonly after: number
  /** Mean over the families of the base's own suite, and perplexity of its texts. */
  readonly suite_before: number
  readonly suite_after: number
  readonly perplexity_before: number
  readonly perplexity_after: number
}

/** What a training says at its end. */
interface TrainResult {
  readonly trainable: number
  readonly peak_memory_bytes: number
  readonly predicted_memory_bytes: number | null
  readonly duration_ms: number
  readonly tokens_seen: number
  readonly score_before: number
  readonly score_after: number
}

/** What scoring says. */
export interface EvalRecord {
  readonly models: readonly {
    readonly mean: { readonly all: { readonly exact: number } }
    readonly text: { readonly perplexity: number }
  }[]
}

/** Settings beyond the defaults: soft prompts learn slowly and need more passes. */
const recipes: Readonly<Record<string, readonly string[]>> = {
  lora: ["--epochs", "8", "--learning-rate", "0.003"],
  dora: ["--epochs", "8", "--learning-rate", "0.003"],
  prompt_tuning: ["--epochs", "24", "--learning-rate", "0.05"],
}
const DEFAULT = ["--epochs", "8"]

/** Trains by every method, one after the other. */
export async function studyMethods({ once, ...setting }: Setting & { readonly once: Once }): Promise<MethodFigures[]> {
  const all: MethodFigures[] = []
  for (const method of methods) all.push(await once(method.name, () => studyMethod(method, setting)))
  return all
}

interface Setting {
  readonly task: string
  readonly folder: string
  /** Questions of each family of the suite. */
  readonly items: number
  say(text: string): void
}

async function studyMethod({ name, peft }: Method, { task, folder, items, say }: Setting): Promise<MethodFigures> {
  say(`${name} ...`)
  const out = join(folder, name)
  const settings = recipes[name] ?? DEFAULT
  const trained = await espalier<TrainResult>(
    "train",
    ...exampleData(task),
    "--method",
    name,
    ...settings,
    "--retention",
    "off",
    "--out",
    out,
  )
  const limit = ["--limit", String(items)]
  // A method that changes the base's own weights leaves a base behind.
  const scores =
    peft === null
      ? [
          ...(await espalier<EvalRecord>("eval", ...limit)).models,
          ...(await espalier<EvalRecord>("eval", "--base", out, ...limit)).models,
        ]
      : (await espalier<EvalRecord>("eval", "--adapter", `${name}=${out}`, ...limit)).models
  const [before, after] = scores as [EvalRecord["models"][number], EvalRecord["models"][number]]
  const file = join(out, peft === null ? "model.safetensors" : "adapter_model.safetensors")
  const figures: MethodFigures = {
    method: name,
    settings,
    trainable: trained.trainable,
    file_bytes: (await stat(file)).size,
    peak_memory_bytes: trained.peak_memory_bytes,
    predicted_memory_bytes: trained.predicted_memory_bytes,
    tokens_per_second: (1000 * trained.tokens_seen) / trained.duration_ms,
    seconds: trained.duration_ms / 1000,
    before: trained.score_before,
    after: trained.score_after,
    suite_before: before.mean.all.exact,
    suite_after: after.mean.all.exact,
    perplexity_before: before.text.perplexity,
    perplexity_after: after.text.perplexity,
  }
  say(
    `  ${(100 * figures.after).toFixed(0)} % right, suite ${(100 * figures.suite_before).toFixed(1)} -> ${(100 * figures.suite_after).toFixed(1)} %, ${figures.seconds.toFixed(0)} s`,
  )
  return figures
}
