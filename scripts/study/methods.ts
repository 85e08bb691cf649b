/**
 * @module Every method on one task, and LoRA's variants: what it trains, what it costs, what it learns, what it forgets.
 *
 * How much a method learns and forgets depends on its learning rate as much as on the method. So each gets the same
 * effort: three rates, a third of its default, the default, and three times that. The one is kept that answers the most
 * validation questions right, of equals the lowest; held-out questions and the base's suite have no part in the choice.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import type { Once } from "./ledger.ts"
import { percent } from "./text.ts"
import {
  type Memory,
  type ModelScores,
  memoryOf,
  onTask,
  rightByTask,
  scoresOf,
  type Training,
  training,
  writeQuestions,
} from "./training.ts"

/** A training at one rate. */
export interface RateFigures extends Training {
  readonly learning_rate: number
}

/** Scores on what no choice was made by. */
export interface FinalScores {
  /** Held-out answers exactly right, from 0 to 1. */
  readonly right: number
  /** Mean over the families of the base's own suite, from 0 to 1, and perplexity of its texts. */
  readonly suite: number
  readonly perplexity: number
}

/** One method's figures. */
export interface MethodFigures extends FinalScores {
  readonly method: string
  /** Falling short of the default, the default, above it. */
  readonly rates: readonly RateFigures[]
  /** The rate that was kept, by its place. */
  readonly kept: number
  /** Of a training alone. */
  readonly memory: Memory
}

/** LoRA otherwise: another start, another scale, another base's precision. */
export interface VariantFigures extends Training {
  readonly name: string
  readonly options: readonly string[]
  /** Of a training alone. */
  readonly memory: Memory
}

/** What the methods' part found. */
export interface MethodsFigures {
  readonly before: FinalScores
  readonly methods: readonly MethodFigures[]
  readonly variants: readonly VariantFigures[]
}

/** What a part of the study is measured with. */
export interface Setting {
  readonly task: string
  /** Where trainings are kept, from one call to the next. */
  readonly folder: string
  /** Questions of each family of the suite. */
  readonly items: number
  readonly once: Once
  say(text: string): void
}

/** Times the default. */
const FACTORS = [1 / 3, 1, 3]

const variants: readonly (readonly [string, readonly string[]])[] = [
  ["rsLoRA", ["--set", "rsLora=true"]],
  ["LoRA+", ["--set", "plusRatio=16"]],
  ["orthogonal start", ["--set", "init=orthogonal"]],
  ["PiSSA", ["--set", "init=pissa"]],
  ["over int8", ["--quantize", "int8"]],
  ["over int4", ["--quantize", "int4"]],
]

/** Two digits, as people write rates. */
const rounded = (rate: number): number => Number(rate.toPrecision(2))

/** The place of the most validation answers right; the first of equals, and rates rise. */
export const keptOf = (rates: readonly Pick<RateFigures, "validation_right">[]): number =>
  rates.reduce((best, { validation_right }, i) => (validation_right > rates[best]!.validation_right ? i : best), 0)

/** Trains by every method, one after the other. */
export async function studyMethods(setting: Setting): Promise<MethodsFigures> {
  const { task, folder, items, once, say } = setting
  const questions = join(folder, "questions.jsonl")
  await writeQuestions(questions, [task])
  const finalScores = async (out: string | null): Promise<FinalScores> => {
    const asked: ModelScores = await scoresOf(out, "--suite", questions)
    const known: ModelScores = await scoresOf(out, "--limit", String(items))
    return { right: rightByTask(asked)[task]!, suite: known.mean.all.exact, perplexity: known.text!.perplexity }
  }
  const before = await once("before", () => finalScores(null))
  const all: MethodFigures[] = []
  for (const { name, learningRate } of methods) {
    const place = (rate: number): string => join(folder, `${name}-${rate}`)
    const train = (rate: number): Promise<Training> =>
      training(place(rate), ...onTask(task), "--method", name, "--learning-rate", String(rate))
    const rates: RateFigures[] = []
    for (const rate of FACTORS.map((factor) => rounded(factor * learningRate))) {
      const measure = async (): Promise<RateFigures> => {
        say(`${name} at ${rate} ...`)
        return { learning_rate: rate, ...(await train(rate)) }
      }
      rates.push(await once(`${name} at ${rate}`, measure))
    }
    const kept = keptOf(rates)
    const rate = rates[kept]!.learning_rate
    const scores = await once(`${name} kept`, async () => {
      // A study that goes on after its temporary folder was cleared trains this one again.
      if (!existsSync(place(rate))) await train(rate)
      return finalScores(place(rate))
    })
    say(`  ${name} at ${rate}: ${percent(scores.right)} right, suite ${percent(scores.suite)}`)
    const memory = await once(`${name} memory`, () =>
      memoryOf(join(folder, `${name}-memory`), ...onTask(task), "--method", name),
    )
    all.push({ method: name, rates, kept, memory, ...scores })
  }
  return { before, methods: all, variants: await studyVariants(setting, all[0]!) }
}

/** LoRA's variants at LoRA's own best rate. */
async function studyVariants({ task, folder, once, say }: Setting, lora: MethodFigures): Promise<VariantFigures[]> {
  const rate = String(lora.rates[lora.kept]!.learning_rate)
  const found: VariantFigures[] = []
  for (const [name, options] of variants) {
    const out = join(folder, `variant-${found.length}`)
    const all = [...onTask(task), "--learning-rate", rate, ...options]
    const trained = await once(`variant ${name} at ${rate}`, () => {
      say(`LoRA, ${name} ...`)
      return training(out, ...all)
    })
    const memory = await once(`variant ${name} memory`, () => memoryOf(`${out}-memory`, ...all))
    found.push({ name, options, ...trained, memory })
  }
  return found
}
