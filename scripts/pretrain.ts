/**
 * @module Pre-trains the embedded base and writes it as a Hugging Face folder with its model card and its curve.
 *
 * Usage: npm run make-base -- [--from folder] [--steps n,...] [--mean part,...] [--out folder] [--run folder] [--resume]
 */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import process from "node:process"
import { parseArgs } from "node:util"
import type { BackendName } from "../src/runtime/runtime.ts"
import type { TrainEvent } from "../src/train/events.ts"
import { progressReporter } from "../src/train/progress.ts"
import { curveEvery, joinedCurves, readCurve } from "./base/curve.ts"
import type { Learned } from "./base/documents.ts"
import { meanOfBases, writeBase } from "./base/folder.ts"
import { continuedCard, modelCard } from "./base/model-card.ts"
import { bundled, CHECKPOINT_EVERY, pretraining } from "./base/pretraining.ts"
import { bundledSuite, suiteFile } from "./make-suite.ts"

const { values } = parseArgs({
  options: {
    from: { type: "string" },
    steps: { type: "string", default: bundled.steps.join() },
    mean: { type: "string" },
    rows: { type: "string", default: String(bundled.rows) },
    length: { type: "string", default: String(bundled.length) },
    "learning-rate": { type: "string", default: String(bundled.learningRate) },
    seed: { type: "string", default: String(bundled.seed) },
    learned: { type: "string", default: bundled.learned },
    out: { type: "string", default: "models/sprig" },
    run: { type: "string", default: "adapters-out/sprig.run" },
    backend: { type: "string", default: bundled.backend },
    threads: { type: "string", default: String(bundled.threads) },
    resume: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})
if (values.help) {
  console.log(`Usage: npm run make-base -- [--from folder] [--steps ${bundled.steps}] [--mean ${bundled.mean}] [--rows ${bundled.rows}] [--length ${bundled.length}]
                          [--learning-rate ${bundled.learningRate}] [--seed ${bundled.seed}] [--learned fading|answers|all]
                          [--out models/sprig] [--run adapters-out/sprig.run] [--backend native] [--threads 2] [--resume]

The learning rate comes down towards the last step; of several, with commas, towards each, and rises again after it.
--from goes on with a finished base, over documents that repair what it can't do, instead of beginning with random weights.
What is written is the mean of the weights at those steps, in the shares of --mean; without it the last. With --from the
share of the base so far may come before them.
The base as it stands is in <run>/base at every evaluation; a run that was stopped goes on with --resume.`)
  process.exit(0)
}
const stops = values.steps.split(",").map(Number)
const lastAlone = stops.map((_, i) => (i === stops.length - 1 ? 1 : 0))
const own = values.steps === bundled.steps.join() ? bundled.mean : lastAlone
const settings = {
  from: values.from ?? null,
  steps: stops,
  mean: values.mean?.split(",").map(Number) ?? own,
  rows: Number(values.rows),
  length: Number(values.length),
  learningRate: Number(values["learning-rate"]),
  seed: Number(values.seed),
  learned: values.learned as Learned,
  backend: values.backend as BackendName,
  threads: Number(values.threads),
}
const { steps, mean, rows, length, learningRate, seed, learned } = settings
const wrong = [...steps, rows, length].some((value) => !(Number.isInteger(value) && value > 0))
const isCourse =
  steps.every((step, i) => i === 0 || step > steps[i - 1]!) && (steps.length === 1 || steps[0]! >= CHECKPOINT_EVERY)
/** Whether the base that is gone on with has a share in the mean, the first. */
const isKept = settings.from !== null && mean.length === steps.length + 1
const isMean =
  (mean.length === steps.length || isKept) && Math.abs(mean.reduce((sum, part) => sum + part, 0) - 1) < 1e-6
if (
  wrong ||
  !isCourse ||
  !isMean ||
  !(learningRate > 0) ||
  !Number.isInteger(seed) ||
  !["all", "answers", "fading"].includes(learned)
) {
  console.error(
    `Expected whole numbers above 0, steps in ascending order (from ${CHECKPOINT_EVERY} on, if they are several), --mean with a part of each that sum to 1, and --learned all, answers or fading; see --help`,
  )
  process.exit(2)
}

const pretrained = await pretraining(settings)
await mkdir(values.run, { recursive: true })
const curveFile = join(values.run, "curve.jsonl")
if (!values.resume) await writeFile(curveFile, "")

const stop = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort())
const progress = progressReporter({
  write: (text) => void process.stdout.write(text),
  isTerminal: process.stdout.isTTY === true,
})
/** Writes follow each other. */
let written: Promise<void> = Promise.resolve()
const later = (write: () => Promise<void>): void => {
  written = written.then(write)
}
const pointOf = curveEvery(steps.at(-1)!)
function onEvent(event: TrainEvent): void {
  progress(event)
  const point = pointOf(event)
  if (point) later(() => appendFile(curveFile, `${JSON.stringify(point)}\n`))
  if (event.type === "evaluation-end" && event.step > 0) {
    const weights = pretrained.tensors()
    later(() => writeBase(join(values.run, "base"), weights, pretrained.tokenizerJson))
  }
}
/** Where the weights at one of the steps are kept. */
const stopFolder = (step: number): string => join(values.run, `stop-${step}`)
const result = await pretrained.run({
  ...{ folder: values.run, resume: values.resume, signal: stop.signal, onEvent },
  onStop: (step) => writeBase(stopFolder(step), pretrained.tensors(), pretrained.tokenizerJson),
})
await written
if (result.status === "interrupted") {
  console.log("Run the same command with --resume to go on")
  process.exit(4)
}

const curve = readCurve(await readFile(curveFile, "utf8"))
const facts = {
  ...settings,
  parameters: pretrained.parameters,
  tokens: result.tokensSeen,
  engine: pretrained.engine,
  heldoutLoss: result.evaluations.at(-1)?.loss ?? null,
}
/** A file of the base that was gone on with. */
const earlier = (file: string): Promise<string> => readFile(join(settings.from!, file), "utf8")
const card = settings.from === null ? modelCard(facts) : continuedCard(await earlier("README.md"), facts)
const whole = settings.from === null ? curve : joinedCurves(readCurve(await earlier("curve.jsonl")), curve)
const parts = [...(isKept ? [settings.from!] : []), ...steps.map(stopFolder)]
const shares = new Map(parts.flatMap((folder, i) => (mean[i] === 0 ? [] : [[folder, mean[i]!] as const])))
await writeBase(values.out, await meanOfBases(shares), pretrained.tokenizerJson, {
  "README.md": card,
  "suite.jsonl": suiteFile(bundledSuite),
  "curve.jsonl": whole.map((point) => `${JSON.stringify(point)}\n`).join(""),
})
await pretrained.dispose()
console.log(`Wrote ${values.out}`)
