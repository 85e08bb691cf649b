/**
 * @module `espalier train`.
 */
import { existsSync } from "node:fs"
import { readFile, rm } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { EspalierError } from "../core/errors.ts"
import { describeDataset } from "../data/describe.ts"
import type { Question } from "../data/question.ts"
import { type Answered, answerAll, scoreOf } from "../eval/answers.ts"
import { compareRetention, type Retention, type RetentionSet, retentionLines } from "../eval/retention.ts"
import { type SuiteScores, scoreSuite } from "../eval/score-suite.ts"
import type { Method } from "../method.ts"
import { methodEnv } from "../presets/method-env.ts"
import { openBase } from "../presets/open-base.ts"
import { openRuntime } from "../presets/open-runtime.ts"
import type { BackendName, Runtime } from "../runtime/runtime.ts"
import { saveTrained, type Trained } from "../service/save-adapter.ts"
import { openTrainingRun, type TrainingRun } from "../service/training-run.ts"
import { type AskedModel, withAnswerer } from "../service/with-answerer.ts"
import { lossChart } from "../train/chart.ts"
import { formatBytes, formatDuration, progressReporter } from "../train/progress.ts"
import { scheduleNames } from "../train/schedule.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { methodSettings } from "./method-settings.ts"
import { type OpenRetention, openRetention } from "./retention-suite.ts"
import { baseFolder, engineOptions, packageFolder, quantizeSetting } from "./shared-options.ts"

const options = {
  base: engineOptions.base,
  data: {
    type: "string",
    value: "file",
    description: "JSONL, JSON or CSV rows to learn from",
    default: "the bundled example",
  },
  heldout: {
    type: "string",
    value: "file",
    description: "rows to judge by; without it a part of the data is held out",
  },
  "heldout-part": { type: "number", description: "the part of the data that is held out", default: "0.1" },
  out: {
    type: "string",
    value: "folder",
    description: "where the adapter goes",
    default: "adapters-out/<data's name>-<method>",
  },
  method: {
    type: "string",
    description: "how to fine-tune",
    choices: methods.map(({ name }) => name),
    default: "lora",
  },
  set: {
    type: "list",
    value: "name=value",
    description: "a setting of the method, such as rank=16 or targets=q_proj,v_proj",
  },
  "lora-dropout": {
    type: "number",
    value: "p",
    description: "LoRA's dropout in training, as PEFT's lora_dropout; the same as --set dropout=...",
    default: "0",
  },
  epochs: { type: "number", description: "passes over the data", default: "3; 4 for the bundled example" },
  steps: { type: "number", description: "optimizer steps at most" },
  "batch-size": { type: "number", description: "rows of a batch", default: "8" },
  accumulation: { type: "number", description: "batches of an optimizer step", default: "1" },
  "max-length": {
    type: "number",
    value: "tokens",
    description: "longer rows are cut",
    default: "the base's context, at most 1024",
  },
  "learning-rate": { type: "number", description: "peak learning rate", default: "the method's own" },
  schedule: { type: "string", description: "how the rate goes down", choices: scheduleNames, default: "cosine" },
  warmup: { type: "number", description: "steps of warm-up; below 1 a part of the run", default: "0.03" },
  "weight-decay": { type: "number", description: "AdamW's weight decay", default: "0.01" },
  "max-grad-norm": { type: "number", description: "gradients are clipped to this norm", default: "1" },
  "evaluate-every": { type: "number", value: "steps", description: "steps between evaluations", default: "an epoch" },
  patience: { type: "number", description: "stop after so many evaluations without gain" },
  "checkpoint-every": { type: "number", value: "steps", description: "steps between checkpoints", default: "50" },
  "loss-on": {
    type: "string",
    description: "tokens that count",
    choices: ["completion", "all"],
    default: "completion",
  },
  "chat-template": {
    type: "boolean",
    description: "render prompts by the base's chat template (--no-chat-template: don't)",
    default: "true",
  },
  seed: { type: "number", description: "decides split, order and initialisation", default: "0" },
  samples: { type: "number", description: "held-out answers to show before and after", default: "3" },
  score: {
    type: "boolean",
    description: "score held-out answers before and after (--no-score: don't)",
    default: "true",
  },
  retention: {
    type: "string",
    value: "suite|off|file",
    description: "score before and after what the base knew, by its own suite or by a JSONL file of items",
    default: "suite",
  },
  "retention-items": { type: "number", description: "items that retention is measured by", default: "96" },
  resume: { type: "boolean", description: "go on from the run's checkpoint, if there is one" },
  backend: engineOptions.backend,
  quantize: engineOptions.quantize,
  threads: engineOptions.threads,
  config: {
    type: "string",
    value: "file",
    description: "options from a YAML or JSON file; the command line goes first",
  },
} as const

type Values = OptionValues<typeof options>

/** Held-out answers that are scored at most: scoring must not outlast training. */
const MOST_SCORED = 60

/** A small base takes a higher rate than the models that a method's own rate is made for. */
const BUNDLED_RATE = 3e-3

export const trainCommand = defineCommand({
  name: "train",
  summary: "Trains an adapter over a frozen base. With no options: over the embedded base, on the bundled example.",
  usage: "[options]",
  options,
  examples: [
    "espalier train",
    "espalier train --data support.jsonl --method lora --set rank=16 --out adapters-out/support",
    "espalier train --data support.jsonl --lora-dropout 0.05 --epochs 6",
    "espalier train --data style.csv --method prompt_tuning --set virtualTokens=20 --epochs 10",
    "espalier train --config run.yaml --resume",
  ],
  run: (values, _positionals, io) => runTrain(values as Values, io),
})

async function runTrain(values: Values, io: Io): Promise<number> {
  const json = "json" in values && values.json === true
  const say = (text: string): void => (json ? undefined : io.out(text))
  const emit = (record: Record<string, unknown>): void => (json ? io.out(`${JSON.stringify(record)}\n`) : undefined)

  const bundled = values.data === undefined
  const data = await readData(values.data ?? join(packageFolder(), "examples", "data", "answer-card.train.jsonl"))
  const heldout = values.heldout
    ? await readData(values.heldout)
    : bundled
      ? await readData(join(packageFolder(), "examples", "data", "answer-card.heldout.jsonl"))
      : null
  const seed = values.seed ?? 0
  const method = methods.find(({ name }) => name === (values.method ?? "lora"))!
  const prepared = method.prepare({ ...methodSettings(method, values.set ?? []), ...loraSettings(method, values) })
  const out = resolve(
    values.out ??
      join(
        "adapters-out",
        `${data.name.replace(/\.[^.]*$/, "").replace(/\.train$/, "")}-${method.name.replaceAll("_", "-")}`,
      ),
  )
  const runFolder = `${out}.run`

  const { runtime, why } = await openRuntime(
    (values.backend ?? "auto") as BackendName | "auto",
    values.threads === undefined ? {} : { threads: values.threads },
  )
  say(`Backend: ${runtime.name} (${runtime.detail}); ${why}\n`)
  if (!runtime.deterministic) say("This backend does not promise the same bytes after a resume\n")
  const folder = baseFolder(values.base)
  const open = await openBase(folder, quantizeSetting(values.quantize))
  const { base, tokenizer } = open
  if (!tokenizer)
    throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json, so it can't be trained on text`)
  say(
    `Base: ${base.name} (${base.architecture.modelType}, ${base.config.layers} layers, hidden ${base.config.hiddenSize}, ${base.quantization ?? "f32"} weights, ${base.hash.slice(0, 12)})\n`,
  )
  const retention = await openRetention(values.retention, values["retention-items"], folder)
  const env = methodEnv(base, tokenizer, seed)
  const run = await openTrainingRun({
    base,
    tokenizer,
    runtime,
    method: prepared,
    env,
    data,
    heldout,
    ...(values["heldout-part"] !== undefined && { heldoutPart: values["heldout-part"] }),
    runFolder,
    resume: values.resume === true,
    settings: settingsOf(values, method, bundled, seed),
  })
  for (const line of describeDataset(run.reports.data)) say(`${line}\n`)
  emit({ type: "dataset", ...run.reports.data })
  const trainable = run.step.parameters.reduce((sum, { size, state }) => sum + (state ? 0 : size), 0)
  const bytes = prepared.peftType === null ? "" : `, ${formatBytes(4 * trainable)}`
  say(`Method: ${method.name}, ${trainable.toLocaleString("en")} trainable values${bytes}\n`)

  const questions = values.score === false ? [] : run.questions.slice(0, MOST_SCORED)
  const trained = (): Trained => ({ base, method: prepared, env, tensors: run.step.tensors() })
  const model = { runtime, base, tokenizer, eosIds: open.eosIds }
  const before = await scored(model, null, questions, retention)

  const stop = new AbortController()
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(130)
    say("\nStopping: saving a checkpoint. Once more ends at once\n")
    stop.abort()
  }
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  const progress = progressReporter({
    write: say,
    isTerminal: io.isTerminal && !json,
    columns: io.columns,
    memory: () => process.memoryUsage.rss(),
  })
  const result = await run.start({
    signal: stop.signal,
    onEvent(event) {
      progress(event)
      emit({ ...event })
    },
  })
  process.off("SIGINT", interrupt)
  process.off("SIGTERM", interrupt)
  if (result.status === "interrupted") {
    say(`Interrupted after step ${result.step} of ${result.steps}. Run the same command with --resume to go on\n`)
    await run.dispose()
    return exitCodes.interrupted
  }

  const peak = process.resourceUsage().maxRSS * 1024
  // What the run's sessions hold is given back before answers are scored.
  await run.dispose()
  const after = await scored(model, trained(), questions, retention)
  const kept = before.retention && after.retention && compareRetention(before.retention, after.retention)
  await saveTrained(
    out,
    trained(),
    {
      ...factsOf(run, trained(), runtime, data.name, before.answers, after.answers),
      ...(kept && { retention: retentionFacts(kept, retention!.set) }),
    },
    folder,
  )
  // The run is over and its result is on disk: the checkpoint would only lead a later --resume astray.
  await rm(run.checkpointPath, { force: true })

  if (result.losses.length > 1) say(`\nTraining loss\n${lossChart(result.losses)}\n`)
  showSamples(say, before.answers, after.answers, values.samples ?? 3)
  const [scoreBefore, scoreAfter] = [scoreOf(before.answers), scoreOf(after.answers)]
  if (questions.length > 0) {
    say(
      `\nHeld-out answers exactly right: ${percent(scoreBefore)} before, ${percent(scoreAfter)} after (${questions.length} questions)\n`,
    )
  }
  if (kept) say(`\n${retentionLines(kept, retention!.set).join("\n")}\n\n`)
  const predicted = run.plan(result.step)?.total ?? null
  const beside = predicted === null ? "" : ` (predicted: ${formatBytes(predicted)})`
  say(`Trained in ${formatDuration(result.durationMs)}; peak memory ${formatBytes(peak)}${beside}\n`)
  const shown = values.out ?? join("adapters-out", basename(out))
  say(`Saved to ${shown}\n\n${nextSteps(shown, values.base, prepared.peftType === null)}`)
  emit({
    type: "result",
    out,
    status: result.status,
    step: result.step,
    kept: result.kept,
    best: result.best,
    score_before: scoreBefore,
    score_after: scoreAfter,
    questions: questions.length,
    retention: kept && retentionFacts(kept, retention!.set),
    peak_memory_bytes: peak,
    predicted_memory_bytes: predicted === null ? null : Math.round(predicted),
  })
  await runtime.dispose()
  return exitCodes.ok
}

async function readData(path: string): Promise<{ name: string; bytes: Uint8Array }> {
  if (!existsSync(path)) throw new EspalierError("not_found", `There is no data file ${path}`, { param: "data" })
  return { name: basename(path), bytes: new Uint8Array(await readFile(path)) }
}

/** Settings of LoRA that have an option of their own. @throws {EspalierError} `invalid_request` with another method. */
function loraSettings(method: Method, values: Values): Record<string, unknown> {
  const dropout = values["lora-dropout"]
  if (dropout === undefined) return {}
  if (method.name !== "lora") {
    throw new EspalierError("invalid_request", `Method ${method.name} has no dropout: --lora-dropout is LoRA's`, {
      param: "lora-dropout",
      hint: "Leave it out, or train with --method lora",
    })
  }
  return { dropout }
}

function settingsOf(values: Values, method: Method, bundled: boolean, seed: number) {
  return {
    batchSize: values["batch-size"] ?? 8,
    accumulation: values.accumulation ?? 1,
    ...(values["max-length"] !== undefined && { maxLength: values["max-length"] }),
    lossOn: (values["loss-on"] ?? "completion") as "completion" | "all",
    chatTemplate: values["chat-template"] ?? true,
    seed,
    train: {
      epochs: values.epochs ?? (bundled ? 4 : 3),
      maxSteps: values.steps ?? null,
      learningRate: values["learning-rate"] ?? (bundled && method.name === "lora" ? BUNDLED_RATE : method.learningRate),
      schedule: (values.schedule ?? "cosine") as (typeof scheduleNames)[number],
      warmup: values.warmup ?? 0.03,
      weightDecay: values["weight-decay"] ?? 0.01,
      maxGradNorm: values["max-grad-norm"] ?? 1,
      evaluateEvery: values["evaluate-every"] ?? null,
      patience: values.patience ?? null,
      checkpointEvery: values["checkpoint-every"] ?? 50,
      seed,
    },
  }
}

/** Scores of the base, or of what was trained over it: held-out answers, and what retention asks for. */
const scored = (
  model: AskedModel,
  trained: Trained | null,
  questions: readonly Question[],
  retention: OpenRetention | null,
): Promise<Scored> =>
  questions.length === 0 && !retention
    ? Promise.resolve({ answers: [], retention: null })
    : withAnswerer(model, trained, async (answerer) => ({
        answers: await answerAll(questions, answerer),
        retention: retention && (await scoreSuite(retention.set.items, answerer)),
      }))

interface Scored {
  readonly answers: readonly Answered[]
  readonly retention: SuiteScores | null
}

/** espalier.json: what the adapter was made of, without anything that differs between two equal runs. */
function factsOf(
  run: TrainingRun,
  { base, method }: Trained,
  runtime: Runtime,
  dataName: string,
  before: readonly Answered[],
  after: readonly Answered[],
) {
  return {
    format: 1,
    method: { name: method.name, settings: method.config },
    base: { name: base.name, hash: base.hash, ...(base.quantization && { quantization: base.quantization }) },
    data: { name: dataName, sha256: run.dataset.sha256, rows: run.dataset.report.used, heldout: run.heldoutName },
    settings: run.settings,
    runtime: { backend: runtime.name, detail: runtime.detail, threads: runtime.threads },
    ...(after.length > 0 && { score: { questions: after.length, before: scoreOf(before), after: scoreOf(after) } }),
  }
}

/** Retention as espalier.json and --json have it: parts are between 0 and 1, `forgotten` in points of a hundred. */
const retentionFacts = (kept: Retention, { suite, sha256, questions, texts }: RetentionSet) => ({
  suite: { name: suite, sha256 },
  questions,
  texts,
  ...kept,
})

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

function showSamples(
  say: (text: string) => void,
  before: readonly Answered[],
  after: readonly Answered[],
  count: number,
): void {
  for (const [i, { question, answer }] of after.slice(0, count).entries()) {
    const asked = question.messages.at(-1)?.content ?? question.prompt ?? ""
    say(
      `\n> ${printable(asked)}\n  before: ${printable(before[i]!.answer)}\n  after:  ${printable(answer)}\n  wanted: ${printable(question.answer)}\n`,
    )
  }
}

function nextSteps(out: string, base: string | undefined, ownBase: boolean): string {
  const baseFlag = base ? ` --base ${base}` : ""
  if (ownBase) return `Try it:    npm run espalier -- chat --base ${out}\nServe it:  npm run serve -- --base ${out}\n`
  const name = basename(out)
  return `Try it:    npm run espalier -- chat${baseFlag} --adapter ${out}\nServe it:  npm run serve --${baseFlag} --adapter ${name}=${out}\n`
}
