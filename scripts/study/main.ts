/**
 * @module The study: every method on one task, and every way of merging, over the embedded base, as one page with charts.
 *
 * Usage: bun run study [--task json-report] [--items 10] [--figures docs/study/figures.json] [--render]
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import process from "node:process"
import { parseArgs } from "node:util"
import { openBase } from "../../src/presets/open-base.ts"
import { machine } from "../bench/machine.ts"
import { studyFacts } from "./facts.ts"
import { studyForgetting } from "./forgetting.ts"
import { openLedger } from "./ledger.ts"
import { studyMerging } from "./merging.ts"
import { studyMethods } from "./methods.ts"
import { type StudyFigures, studyFiles } from "./page.ts"
import { studyTasks } from "./tasks.ts"

/** Figures of another program are measured again: to be raised with any change of what is measured. */
const PROGRAM = 2

const { values } = parseArgs({
  options: {
    task: { type: "string", default: "json-report" },
    other: { type: "string", default: "answer-card" },
    third: { type: "string", default: "labels-desk" },
    items: { type: "string", default: "10" },
    figures: { type: "string", default: "docs/study/figures.json" },
    render: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})
if (values.help) {
  console.log(`Usage: bun run study [--task json-report] [--other answer-card] [--third labels-desk]
                     [--items 10] [--figures docs/study/figures.json] [--render]

Trains every method on a task at three learning rates; three tasks at once and one after another; one with the remedies
against forgetting; merges two by every method; answers questions with an adapter and documents, and without. Writes
docs/study.md, its charts and its figures; about 20 minutes on two cores. One that is interrupted goes on where it was.
--render writes the page anew from the figures that are there.`)
  process.exit(0)
}
/** A learning rate of LoRA that learns quickly and forgets quickly: several tasks are learned at it, too. */
const FAST = 0.003
/** Of each kind, for form against fact. */
const FACT_QUESTIONS = 60
const say = (text: string): void => void process.stderr.write(`${text}\n`)
const task = values.task

async function measured(): Promise<StudyFigures> {
  const items = Number(values.items)
  const { other, third } = values
  const { base } = await openBase("models/sprig")
  const subject = { base: base.hash, task, other, third, items, program: PROGRAM }
  const { once, remove } = await openLedger(`${values.figures}.part`, subject)
  // Not a fresh one: what is trained is there for a study that goes on.
  const folder = join(tmpdir(), `espalier-study-${base.hash.slice(0, 12)}`)
  await mkdir(folder, { recursive: true })
  const setting = { task, folder, items, once, say }
  const methods = await studyMethods(setting)
  const [lora] = methods.methods
  const rate = lora!.rates[lora!.kept]!.learning_rate
  const found: StudyFigures = {
    machine: machine(),
    command: "npm run study",
    date: new Date().toISOString().slice(0, 10),
    base: base.hash,
    task,
    suite_items: items,
    rate,
    methods,
    tasks: [
      await studyTasks({ tasks: [other, task, third], rate, ...setting }),
      await studyTasks({ tasks: [other, task, third], rate: FAST, ...setting }),
    ],
    forgetting: await studyForgetting(setting),
    merging: await once("merging", () => studyMerging({ tasks: [task, other], rate, folder, say })),
    facts: await once("facts", () => studyFacts({ questions: FACT_QUESTIONS, folder, say })),
  }
  await mkdir(dirname(values.figures), { recursive: true })
  await writeFile(values.figures, `${JSON.stringify(found, null, 2)}\n`)
  await remove()
  await rm(folder, { recursive: true, force: true })
  return found
}

const figures = values.render ? (JSON.parse(await readFile(values.figures, "utf8")) as StudyFigures) : await measured()
for (const [path, text] of studyFiles(figures)) {
  await mkdir(dirname(join("docs", path)), { recursive: true })
  await writeFile(join("docs", path), text)
  console.log(`Wrote docs/${path}`)
}
