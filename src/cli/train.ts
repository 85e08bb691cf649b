/**
 * @module `espalier train`.
 */
import { rm } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { EspalierError } from "../core/errors.ts"
import { describeDataset } from "../data/describe.ts"
import { scoreOf } from "../eval/answers.ts"
import { compareRetention, type RetentionSet, retentionFacts, retentionLines } from "../eval/retention.ts"
import { checkGradients } from "../presets/check-gradients.ts"
import { methodEnv } from "../presets/method-env.ts"
import { openBase } from "../presets/open-base.ts"
import { openRuntime } from "../presets/open-runtime.ts"
import type { BackendName } from "../runtime/runtime.ts"
import { runFacts } from "../service/run-facts.ts"
import { saveTrained, type Trained } from "../service/save-adapter.ts"
import { openTrainingRun } from "../service/training-run.ts"
import { lossChart } from "../train/chart.ts"
import { formatBytes, formatDuration, progressReporter } from "../train/progress.ts"
import { defineCommand, exitCodes, type Io } from "./command.ts"
import { typedAs } from "./io.ts"
import { methodSettings } from "./method-settings.ts"
import { openRetention } from "./retention-suite.ts"
import { baseFolder, quantizeSetting } from "./shared-options.ts"
import { loraSettings, settingsOf, type TrainValues, trainOptions } from "./train-options.ts"
import { askedOf, curriculumFigures, scored, taskFigures, taskScores } from "./train-scores.ts"
import { expandTasks, replayOf, tasksOf } from "./train-tasks.ts"
import { matrixTable, nextSteps, percent, samplesText, taskTable } from "./train-text.ts"

export const trainCommand = defineCommand({
  name: "train",
  summary: "Trains an adapter over a frozen base. With no options: over the embedded base, on the bundled example.",
  usage: "[options]",
  options: trainOptions,
  glossary: {
    title: "Methods (docs/methods.md)",
    entries: methods.map(({ name, summary }) => [name, summary] as const),
  },
  examples: [
    "espalier train",
    "espalier train --data support.jsonl --method lora --set rank=16 --out adapters-out/support",
    "espalier train --data support.jsonl --lora-dropout 0.05 --epochs 6",
    "espalier train --data style.csv --method prompt_tuning --set virtualTokens=20 --epochs 10",
    "espalier train --task card=card.jsonl --task json=json.jsonl --mixture equal",
    "espalier train --config run.yaml --resume",
  ],
  expandConfig: expandTasks,
  run: (values, _positionals, io) => runTrain(values as TrainValues, io),
})

async function runTrain(values: TrainValues, io: Io): Promise<number> {
  const json = "json" in values && values.json === true
  const say = (text: string): void => (json ? undefined : io.out(text))
  const emit = (record: Record<string, unknown>): void => (json ? io.out(`${JSON.stringify(record)}\n`) : undefined)

  const files = await tasksOf(values)
  const bundled = values.data === undefined && values.task === undefined
  const seed = values.seed ?? 0
  const method = methods.find(({ name }) => name === (values.method ?? "lora"))!
  const prepared = method.prepare({ ...methodSettings(method, values.set ?? []), ...loraSettings(method, values) })
  const called = files.map(({ name }) => name).join("-")
  const out = resolve(values.out ?? join("adapters-out", `${called}-${method.name.replaceAll("_", "-")}`))
  const runFolder = `${out}.run`

  const { runtime, why } = await openRuntime(
    (values.backend ?? "auto") as BackendName | "auto",
    values.threads === undefined ? {} : { threads: values.threads },
  )
  say(`Backend: ${runtime.name} (${runtime.detail}); ${why}\n`)
  if (!runtime.deterministic) say("This backend does not promise the same bytes after a resume\n")
  await checkGradients(runtime)
  const folder = baseFolder(values.base)
  const open = await openBase(folder, quantizeSetting(values.quantize))
  const { base, tokenizer } = open
  if (!tokenizer)
    throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json, so it can't be trained on text`)
  say(
    `Base: ${base.name} (${base.architecture.modelType}, ${base.config.layers} layers, hidden ${base.config.hiddenSize}, ${base.quantization ?? "f32"} weights, ${base.hash.slice(0, 12)})\n`,
  )
  const retention = await openRetention(values.retention, values["retention-items"], folder)
  const replay = await replayOf(values, retention)
  const limit = checkedLimit(values["max-forgetting"], retention?.set ?? null)
  const env = methodEnv(base, tokenizer, seed)
  const run = await openTrainingRun({
    base,
    tokenizer,
    runtime,
    method: prepared,
    env,
    tasks: files,
    replay,
    ...(values["heldout-part"] !== undefined && { heldoutPart: values["heldout-part"] }),
    runFolder,
    resume: values.resume === true,
    settings: settingsOf(values, method, bundled, seed),
  })
  const isMany = run.tasks.length > 1
  for (const { name, reports } of run.tasks) {
    for (const line of describeDataset(reports.data)) say(isMany ? `${name}: ${line}\n` : `${line}\n`)
    emit({ type: "dataset", ...(isMany && { task: name }), ...reports.data })
  }
  if (run.replay) {
    for (const line of describeDataset(run.replay.report)) say(`replay: ${line}\n`)
    emit({ type: "dataset", replay: true, ...run.replay.report })
  }
  const trainable = run.step.parameters.reduce((sum, { size, state }) => sum + (state ? 0 : size), 0)
  const bytes = prepared.peftType === null ? "" : `, ${formatBytes(4 * trainable)}`
  say(`Method: ${method.name}, ${trainable.toLocaleString("en")} trainable values${bytes}\n`)

  const asked = values.score === false ? run.tasks.map(({ name }) => ({ name, questions: [] })) : askedOf(run.tasks)
  const trained = (): Trained => ({ base, method: prepared, env, tensors: run.step.tensors() })
  const model = { runtime, base, tokenizer, eosIds: open.eosIds }
  const before = await scored(model, null, asked, retention?.set ?? null)

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
    before: taskScores(asked, before),
    score: async () => taskScores(asked, await scored(model, trained(), asked, null)),
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
  const after = await scored(model, trained(), asked, retention?.set ?? null)
  await run.record({ type: "tasks-scored", step: result.kept, tasks: taskScores(asked, after) })
  const kept = before.retention && after.retention && compareRetention(before.retention, after.retention)
  const isHeldBack = limit !== null && kept?.forgotten != null && kept.forgotten > limit
  const figures = taskFigures(run.tasks, run.shares, result.tasks, before, after)
  const curriculum = curriculumFigures(result, taskScores(asked, before))
  const facts = {
    ...runFacts(run, trained(), runtime, figures),
    ...(curriculum && { curriculum }),
    ...(kept && { retention: retentionFacts(kept, retention!.set) }),
    ...(limit !== null && { max_forgetting: limit, promoted: !isHeldBack }),
  }
  await saveTrained(out, trained(), facts, folder)
  // The run is over and its result is on disk: the checkpoint would only lead a later --resume astray.
  await rm(run.checkpointPath, { force: true })

  if (result.losses.length > 1) say(`\nTraining loss\n${lossChart(result.losses)}\n`)
  const shownOf = (answers: typeof after.answers) =>
    answers.flatMap((each) => each.slice(0, Math.ceil((values.samples ?? 3) / answers.length)))
  say(samplesText(shownOf(before.answers), shownOf(after.answers), values.samples ?? 3))
  const [all, allBefore] = [after.answers.flat(), before.answers.flat()]
  if (isMany) say(`\n${taskTable(figures)}\n`)
  if (curriculum)
    say(
      `\n${matrixTable(
        figures.map(({ name }) => name),
        curriculum,
      )}\n`,
    )
  if (all.length > 0) {
    say(
      `\nHeld-out answers exactly right: ${percent(scoreOf(allBefore))} before, ${percent(scoreOf(all))} after (${all.length} questions)\n`,
    )
  }
  if (kept) say(`\n${retentionLines(kept, retention!.set).join("\n")}\n\n`)
  const predicted = run.plan(result.step)?.total ?? null
  const beside = predicted === null ? "" : ` (predicted: ${formatBytes(predicted)})`
  say(`Trained in ${formatDuration(result.durationMs)}; peak memory ${formatBytes(peak)}${beside}\n`)
  const shown = values.out ?? join("adapters-out", basename(out))
  say(
    `Saved to ${shown}\n\n${nextSteps(shown, values.base, { ownBase: prepared.peftType === null, heldBack: isHeldBack, env: io.env })}`,
  )
  if (isHeldBack)
    say(
      `\nHeld back from serving: the base forgot ${kept!.forgotten!.toFixed(1)} points, more than the ${limit} that --max-forgetting allows.\n` +
        `${typedAs("serve", io.env)} --force serves it all the same; docs/forgetting.md has remedies\n`,
    )
  emit({
    type: "result",
    out,
    status: result.status,
    step: result.step,
    kept: result.kept,
    best: result.best,
    trainable,
    tokens_seen: result.tokensSeen,
    duration_ms: result.durationMs,
    score_before: scoreOf(allBefore),
    score_after: scoreOf(all),
    questions: all.length,
    ...(isMany && { tasks: figures }),
    ...(curriculum && { curriculum }),
    retention: kept && retentionFacts(kept, retention!.set),
    ...(limit !== null && { max_forgetting: limit, promoted: !isHeldBack }),
    peak_memory_bytes: peak,
    predicted_memory_bytes: predicted === null ? null : Math.round(predicted),
  })
  await runtime.dispose()
  return isHeldBack ? exitCodes.heldBack : exitCodes.ok
}

/** The gate's limit. @throws {EspalierError} `invalid_request` where nothing is scored that it could hold against it. */
function checkedLimit(limit: number | undefined, retention: RetentionSet | null): number | null {
  if (limit === undefined) return null
  if (retention !== null && retention.questions > 0) return limit
  throw new EspalierError("invalid_request", "--max-forgetting needs questions to score, and there are none", {
    param: "max-forgetting",
    hint: "Give some that this base can answer with --retention file (docs/forgetting.md)",
  })
}
