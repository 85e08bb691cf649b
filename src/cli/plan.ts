/**
 * @module `espalier plan`.
 */
import { methods } from "../../adapters/mod.ts"
import { EspalierError } from "../core/errors.ts"
import { BUCKET } from "../data/batch.ts"
import type { Method } from "../method.ts"
import { calibrations } from "../plan/calibration.ts"
import { type Choice, type Proposal, propose } from "../plan/propose.ts"
import { planServing, type ServingPlan } from "../plan/serving.ts"
import { planTraining, type TrainingPlan } from "../plan/training.ts"
import { openPlanBase } from "../presets/plan-base.ts"
import { formatBytes, formatCount } from "../train/progress.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { methodSettings } from "./method-settings.ts"
import { count, whole } from "./number-range.ts"
import { methodTable, partTable } from "./plan-text.ts"
import { baseFolder, engineOptions, quantizeSetting } from "./shared-options.ts"

const backends = ["native", "wasm"] as const

const options = {
  base: { ...engineOptions.base, description: "a folder with a config.json; weights need not be there" },
  method: {
    type: "string",
    description: "how to fine-tune",
    choices: methods.map(({ name }) => name),
    default: "lora",
  },
  set: { type: "list", value: "name=value", description: "a setting of the method, such as rank=16" },
  batch: { type: "number", range: count(65_536), description: "rows of a batch", default: "8" },
  length: { type: "number", range: whole(2, 2 ** 20), value: "tokens", description: "the longest row", default: "128" },
  backend: { type: "string", description: "what computes", choices: backends, default: "native" },
  quantize: engineOptions.quantize,
  kl: { type: "boolean", description: "with --kl of train: the divergence from the frozen base in the loss" },
  "serve-adapters": {
    type: "number",
    range: whole(0, 100_000),
    description: "adapters that a server has ready",
    default: "1",
  },
  sequences: {
    type: "number",
    range: count(65_536),
    description: "sequences that a server has in flight",
    default: "1",
  },
  all: { type: "boolean", description: "every method beside full fine-tuning" },
  budget: {
    type: "string",
    value: "size",
    description: "such as 2GB: proposes what fits, and says what it gives up",
  },
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

export const planCommand = defineCommand({
  name: "plan",
  summary: "Says what a run would take in memory, part by part, before it is started; from shapes alone.",
  usage: "[options]",
  options,
  glossary: {
    title: "Methods (docs/methods.md)",
    entries: methods.map(({ name, summary }) => [name, summary] as const),
  },
  examples: [
    "espalier plan",
    "espalier plan --method lora --set rank=16 --batch 16 --length 256",
    "espalier plan --all",
    "espalier plan --base path/to/model --batch 4 --length 512 --budget 2GB",
    "espalier plan --quantize int8 --serve-adapters 20 --sequences 8 --json",
  ],
  async run(given, positionals, io) {
    const values = given as Values
    if (positionals.length > 0) {
      throw new EspalierError("invalid_request", `Expected options alone but found ${JSON.stringify(positionals[0])}`, {
        hint: "A base is given with --base",
      })
    }
    if (values.all && values.budget !== undefined)
      throw new EspalierError("invalid_request", "--all and --budget answer different questions", {
        param: "budget",
        hint: "Leave out one of them",
      })
    const job = jobOf(values)
    if (values.all) return planAll(job, values, io)
    if (values.budget !== undefined) return planBudget(job, bytesOf(values.budget), values, io)
    const training = job.train(job.wanted)
    report(job, { choice: job.wanted, plan: training, gaveUp: [] }, values, io)
    return exitCodes.ok
  },
})

/** What was asked for, checked. */
interface Job {
  readonly wanted: Choice
  readonly backend: (typeof backends)[number]
  readonly adapters: number
  readonly sequences: number
  readonly title: string
  train(choice: Choice): TrainingPlan
  serve(choice: Choice): ServingPlan
}

function jobOf(values: Values): Job {
  const folder = baseFolder(values.base)
  const method = methods.find(({ name }) => name === (values.method ?? "lora"))!
  const backend = (values.backend ?? "native") as (typeof backends)[number]
  const wanted: Choice = {
    method,
    settings: methodSettings(method, values.set ?? []),
    rows: values.batch ?? 8,
    accumulation: 1,
    length: values.length ?? 128,
    quantize: quantizeSetting(values.quantize).quantize ?? null,
  }
  const adapters = values["serve-adapters"] ?? 1
  const sequences = values.sequences ?? 1
  const { base } = openPlanBase(folder, wanted.quantize)
  const { modelType, layers, hiddenSize, contextLength } = base.config
  const prepare = ({ method, settings, quantize, length }: Choice) => {
    const prepared = method.prepare(settings)
    if (quantize && method.peft === null) {
      throw new EspalierError(
        "unsupported",
        `Method ${method.name} trains the base's own weights, which can't be held as ${quantize}`,
        { param: "quantize", hint: "Leave out --quantize, or plan an adapter: --method lora" },
      )
    }
    const room = contextLength - prepared.virtualTokens
    if (length > room) {
      throw new EspalierError(
        "invalid_request",
        `Expected a longest row of at most ${room} tokens but found ${length}: the base holds ${contextLength} positions`,
        { param: "length" },
      )
    }
    return { ...openPlanBase(folder, quantize), method: prepared, length, backend }
  }
  return {
    wanted,
    backend,
    adapters,
    sequences,
    title: `Base: ${base.name} (${modelType}, ${layers} layers, hidden ${hiddenSize})`,
    train: (choice) =>
      planTraining({
        ...prepare(choice),
        ...{ rows: choice.rows, lengths: paddedLengths(choice.length), divergence: values.kl === true },
        command: true,
      }),
    serve: (choice) => planServing({ ...prepare(choice), adapters, sequences }),
  }
}

/** Lengths that batches may have whose longest row is of this one. */
const paddedLengths = (longest: number): number[] => [
  ...Array.from({ length: Math.floor((longest - 1) / BUCKET) }, (_, i) => (i + 1) * BUCKET),
  longest,
]

function planAll(job: Job, values: Values, io: Io): number {
  const own = (method: Method) => (method.name === job.wanted.method.name ? job.wanted.settings : {})
  const plans = methods
    // What trains the base's own weights can't do so in 8 bits.
    .filter(({ peft }) => peft !== null || job.wanted.quantize === null)
    .map((method) => job.train({ ...job.wanted, method, settings: own(method) }))
  if (values.json) {
    const shared = { batch: job.wanted.rows, length: job.wanted.length, backend: job.backend }
    io.out(`${JSON.stringify({ type: "plans", ...shared, methods: plans.map(trainingJson) })}\n`)
    return exitCodes.ok
  }
  io.out(`${job.title}, ${described(job, job.wanted)}\n\n${methodTable(plans)}\n`)
  return exitCodes.ok
}

function planBudget(job: Job, budget: number, values: Values, io: Io): number {
  // LoRA, the first of the list, is what most go over to.
  const proposal = propose(job.wanted, methods.slice(0, 1), budget, job.train)
  report(job, proposal, values, io)
  return exitCodes.ok
}

function report(job: Job, { choice, plan, gaveUp }: Proposal, values: Values, io: Io): void {
  const serving = job.serve(choice)
  const { limit } = calibrations[job.backend]
  const command = trainCommandOf(choice, values.base)
  if (values.json) {
    io.out(
      `${JSON.stringify({
        type: "plan",
        method: choice.method.name,
        settings: choice.method.prepare(choice.settings).config,
        batch: choice.rows,
        accumulation: choice.accumulation,
        length: choice.length,
        quantize: choice.quantize,
        backend: job.backend,
        training: trainingJson(plan),
        serving: {
          parts: Object.fromEntries(serving.parts.map(({ name, bytes }) => [name, Math.round(bytes)])),
          total: Math.round(serving.total),
        },
        ...(values.budget !== undefined && { budget: bytesOf(values.budget), gave_up: gaveUp, command }),
      })}\n`,
    )
    return
  }
  const pieces = plan.rowsAtOnce < choice.rows ? `, ${plan.rowsAtOnce} computed at once` : ""
  io.out(`${job.title}\n\n`)
  io.out(
    `Training by ${choice.method.name}, ${formatCount(plan.trainable)} values: ${described(job, choice)}${pieces}\n`,
  )
  io.out(`${partTable(plan)}\n`)
  if (limit !== null && plan.total > limit)
    io.out(`\nThis does not fit: WebAssembly addresses ${formatBytes(limit)} at most\n`)
  const adapters = choice.method.peft === null ? "a base of its own" : `adapters ready: ${job.adapters}`
  io.out(`\nServing, ${adapters}, sequences in flight: ${job.sequences}, of ${choice.length} positions\n`)
  io.out(`${partTable(serving)}\n`)
  if (values.budget === undefined) return
  io.out(
    `\n${gaveUp.length === 0 ? "All of it fits\n" : `To fit, this is given up:\n${gaveUp.map((each) => `  ${each}\n`).join("")}`}`,
  )
  io.out(`${command}\n`)
}

const described = ({ backend }: Job, { rows, length, quantize }: Choice): string =>
  `${rows} x ${length} tokens, ${quantize ?? "f32"} weights, ${backend}`

const trainingJson = ({ method, trainable, rowsAtOnce, parts, total }: TrainingPlan) => ({
  method,
  trainable,
  rows_at_once: rowsAtOnce,
  parts: Object.fromEntries(parts.map(({ name, bytes }) => [name, Math.round(bytes)])),
  total: Math.round(total),
})

/** The command that trains by a choice; what `train` takes anyway is left out. */
function trainCommandOf({ method, settings, rows, accumulation, length, quantize }: Choice, base: string | undefined) {
  const pairs = Object.entries(settings).map(
    ([name, value]) => `--set ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  )
  return [
    "espalier train",
    ...(base === undefined ? [] : [`--base ${base}`]),
    `--method ${method.name}`,
    ...pairs,
    `--batch-size ${rows}`,
    ...(accumulation > 1 ? [`--accumulation ${accumulation}`] : []),
    `--max-length ${length}`,
    ...(quantize ? [`--quantize ${quantize}`] : []),
  ].join(" ")
}

const units: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, ki: 2 ** 10, mi: 2 ** 20, gi: 2 ** 30 }

/** A size such as 2GB, 512MiB or 1.5g. @throws {EspalierError} `invalid_request` for any other text. */
export function bytesOf(text: string): number {
  const found = /^(\d+(?:\.\d+)?)\s*([kmg]i?)?b?$/i.exec(text.trim())
  const bytes = found ? Number(found[1]) * units[(found[2] ?? "").toLowerCase()]! : 0
  if (bytes > 0) return bytes
  throw new EspalierError(
    "invalid_request",
    `Expected --budget to be a size such as 2GB but found ${JSON.stringify(text)}`,
    {
      param: "budget",
    },
  )
}
