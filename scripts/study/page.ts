/**
 * @module The study as a page: tables and charts out of its figures, and nothing that isn't in them.
 */
import { formatBytes, formatCount } from "../../src/train/progress.ts"
import type { Machine } from "../bench/machine.ts"
import { type Bar, barChart, dotChart } from "./chart.ts"
import type { FactsFigures } from "./facts.ts"
import { findingsOf } from "./findings.ts"
import type { ForgettingFigures } from "./forgetting.ts"
import type { MergeFigures } from "./merging.ts"
import type { MethodFigures, MethodsFigures } from "./methods.ts"
import type { TasksFigures } from "./tasks.ts"
import { bytesText, percent, rateText } from "./text.ts"
import { EPOCHS, type Memory, type Training } from "./training.ts"

/** Everything that a run of the study found. */
export interface StudyFigures {
  readonly machine: Machine
  readonly command: string
  /** When it ended, as YYYY-MM-DD. */
  readonly date: string
  /** sha256 of the base's tensors. */
  readonly base: string
  readonly task: string
  readonly suite_items: number
  /** LoRA's learning rate in the parts after the methods' own. */
  readonly rate: number
  readonly methods: MethodsFigures
  /** At LoRA's own rate, and at a fast one. */
  readonly tasks: readonly [TasksFigures, TasksFigures]
  readonly forgetting: readonly ForgettingFigures[]
  readonly merging: readonly MergeFigures[]
  readonly facts: FactsFigures
}

/** Files of the page: docs/study.md and its charts, by path below docs/. */
export function studyFiles(figures: StudyFigures): Map<string, string> {
  const { task, methods: part } = figures
  const { before, methods } = part
  const bars = (value: (each: MethodFigures) => number, text: (each: MethodFigures) => string): Bar[] =>
    methods.map((each) => ({ label: each.method, value: value(each), text: text(each) }))
  const trainable = ({ rates }: MethodFigures): number => rates[0]!.trainable
  return new Map([
    ["study.md", page(figures)],
    [
      "study/score.svg",
      barChart(
        `${task}: held-out answers exactly right (before: ${percent(before.right)})`,
        bars(
          ({ right }) => right,
          ({ right }) => percent(right),
        ),
        1,
      ),
    ],
    [
      "study/retention.svg",
      barChart(
        `the base's own suite after training (before: ${percent(before.suite)})`,
        bars(
          ({ suite }) => suite,
          ({ suite }) => percent(suite),
        ),
        1,
      ),
    ],
    [
      "study/rates.svg",
      dotChart(
        "what is left of the base's suite, at three learning rates",
        methods.map(({ method, rates, kept }) => ({
          label: method,
          marked: kept,
          dots: rates.map(({ learning_rate, suite_after, validation_right }, i) => ({
            value: suite_after,
            text: `${rateText(learning_rate)}: suite ${percent(suite_after)}, task ${percent(validation_right)}`,
            filled: validation_right >= rates[kept]!.validation_right - 0.05 || i === kept,
          })),
        })),
        [
          "From 0 to 100 %. The larger the dot, the higher the rate: a third of the default, the default, three times that.",
          "Rings: the task was not learned as well. Dark edge: the rate that was kept.",
        ],
      ),
    ],
    [
      "study/parameters.svg",
      barChart(
        "trained parameters, on a logarithmic scale",
        bars(
          (each) => Math.log10(trainable(each)),
          (each) => formatCount(trainable(each)),
        ),
        Math.max(...methods.map((each) => Math.log10(trainable(each)))),
      ),
    ],
  ])
}

function page(figures: StudyFigures): string {
  const { machine, command, date, base, task } = figures
  return [
    "# The study",
    "",
    `Every figure here comes from \`${command}\`, ended on ${date}, over the embedded base (${base.slice(0, 12)}), seed 0, on ${machine.cpu},`,
    `${machine.cores} cores, ${machine.runtime}. Each training and each scoring is a process of its own. The base is small and`,
    "so are the tasks: what holds here says how the methods compare on it, not how good they are on a model of a real size. One run",
    "each: of 60 questions, three more or fewer are chance; speed and time are those of whatever else the machine did meanwhile.",
    "",
    "## What it says",
    "",
    ...findingsOf(figures).map(({ claim, verdict, figures: text }) => `- **${claim}**: ${verdict}. ${sentence(text)}`),
    "",
    ...methodsSection(figures),
    ...tasksSection(figures.tasks),
    ...forgettingSection(task, figures.forgetting),
    ...mergingSection(figures.merging, figures.rate),
    ...factsSection(figures.facts),
  ].join("\n")
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`

const memoryText = ({ peak_memory_bytes: peak, predicted_memory_bytes: predicted }: Memory): string =>
  predicted === null
    ? `${formatBytes(peak)} | | `
    : `${formatBytes(peak)} | ${formatBytes(predicted)} | ${percent(predicted / peak - 1)}`

const suite = ({ suite_before, suite_after }: Training): string => `${percent(suite_before)} to ${percent(suite_after)}`

/** What every method learns, costs and forgets. */
function methodsSection({ task, suite_items, methods: { before, methods, variants } }: StudyFigures): string[] {
  const lora = methods[0]!.rates[methods[0]!.kept]!
  return [
    "## Methods",
    "",
    `Each method learns \`${task}\` with its default settings, from 270 rows in ${EPOCHS} passes, batches of 8, a cosine schedule, at three`,
    "learning rates: a third of its default, the default, three times the default. Of the three that one is kept which answers",
    "the most of 30 validation questions right, of equals the lowest. Then it is asked 60 held-out questions, which had no part in any choice,",
    `right to the letter (*right*), and what it has made the base forget is measured on the base's own suite, ${suite_items} questions of each`,
    `family (*suite*), and on the perplexity of held-out texts. The frozen base: ${percent(before.right)} right, suite ${percent(before.suite)}, perplexity ${before.perplexity.toFixed(2)}.`,
    "",
    "![scores](study/score.svg)",
    "",
    "![retention](study/retention.svg)",
    "",
    "![parameters](study/parameters.svg)",
    "",
    "| method | rate | trained | file | peak memory | predicted | off by | tokens/s | time | right | suite | perplexity |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ...methods.map((each) => {
      const run = each.rates[each.kept]!
      const fastest = Math.max(...each.rates.map(({ tokens_per_second }) => tokens_per_second))
      const seconds = Math.min(...each.rates.map((rate) => rate.seconds))
      return `| \`${each.method}\` | ${rateText(run.learning_rate)} | ${formatCount(run.trainable)} | ${bytesText(run.file_bytes)} | ${memoryText(each.memory)} | ${fastest.toFixed(0)} | ${seconds.toFixed(0)} s | ${percent(each.right)} | ${percent(each.suite)} | ${each.perplexity.toFixed(2)} |`
    }),
    "",
    "`selective` and `full` write a whole base. Time is that of the training with its evaluations, the best of the three runs, whose",
    "rates take equally long; memory is that of ten updates with evaluations and checkpoints, without the answers that are scored",
    "before and after.",
    "",
    "### What the rate does",
    "",
    "The same at all three rates, by the run's own figures: 30 validation questions, and 72 of the suite.",
    "",
    "![rates](study/rates.svg)",
    "",
    "| method | rate | validation loss | validation right | suite |",
    "|---|---|---|---|---|",
    ...methods.flatMap(({ method, rates, kept }) =>
      rates.map(
        (run, i) =>
          `| \`${method}\` | ${rateText(run.learning_rate)}${i === kept ? ", kept" : ""} | ${run.validation_loss.toFixed(4)} | ${percent(run.validation_right)} | ${suite(run)} |`,
      ),
    ),
    "",
    "### LoRA otherwise",
    "",
    `LoRA at its kept rate, ${rateText(lora.learning_rate)}, with another scale, another start, or over a base in fewer bits:`,
    "",
    "| | options | trained | file | peak memory | predicted | off by | validation loss | validation right | suite |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...[{ ...lora, name: "LoRA", options: [] as readonly string[], memory: methods[0]!.memory }, ...variants].map(
      (each) =>
        `| ${each.name} | ${optionsText(each.options)} | ${formatCount(each.trainable)} | ${bytesText(each.file_bytes)} | ${memoryText(each.memory)} | ${each.validation_loss.toFixed(4)} | ${percent(each.validation_right)} | ${suite(each)} |`,
    ),
    "",
  ]
}

const optionsText = (options: readonly string[]): string => (options.length > 0 ? `\`${options.join(" ")}\`` : "")

/** Several tasks by one adapter. */
function tasksSection(all: readonly TasksFigures[]): string[] {
  const { tasks, before } = all[0]!
  const row = (name: string, scores: readonly number[]): string => `| ${name} | ${scores.map(percent).join(" | ")} |`
  const mean = (scores: readonly number[]): number => scores.reduce((sum, score) => sum + score, 0) / scores.length
  return [
    "## Several tasks",
    "",
    `One LoRA for ${tasks.length} tasks in ${EPOCHS} passes: rows of all in every batch (\`--mixture equal\`), or one task after another (\`--order`,
    "sequential`), at the rate that was kept above and at a fast one. Held-out answers exactly right:",
    "",
    `| | ${tasks.map((task) => `\`${task}\``).join(" | ")} |`,
    `|---|${tasks.map(() => "---|").join("")}`,
    row("before", before),
    ...all.flatMap(({ rate, mixed, sequential }) => [
      row(`at once, ${rateText(rate)}`, mixed),
      ...sequential.map((scores, i) => row(`in a row, ${rateText(rate)}, after \`${tasks[i]}\``, scores)),
    ]),
    "",
    ...all.map(
      ({ rate, mixed, sequential, backward_transfer, forgetting }) =>
        `- At ${rateText(rate)}: ${percent(mean(mixed))} of all at once, ${percent(mean(sequential.at(-1)!))} in a row, with a backward transfer of ${(100 * backward_transfer).toFixed(1)} points and forgetting of ${(100 * forgetting).toFixed(1)} (of each earlier task, its best score less its last).`,
    ),
    "",
  ]
}

/** What the remedies give back. */
function forgettingSection(task: string, runs: readonly ForgettingFigures[]): string[] {
  return [
    "## Forgetting",
    "",
    `\`${task}\` at rates that cost something, with the remedies of [forgetting.md](forgetting.md) and with a lower rate: what is learned (30`,
    "validation questions), what is left of the base's own suite (180 questions), and the loss of neutral texts.",
    "",
    "| | options | right | suite | loss of texts |",
    "|---|---|---|---|---|",
    ...runs.map(
      (run) =>
        `| ${run.name} | ${optionsText(run.options)} | ${percent(run.validation_right)} | ${suite(run)} | ${run.loss_before.toFixed(3)} to ${run.loss_after.toFixed(3)} |`,
    ),
    "",
  ]
}

/** Two adapters as one. */
function mergingSection(merging: readonly MergeFigures[], rate: number): string[] {
  const tasks = Object.keys(merging[0]!.scores)
  return [
    "## Merging",
    "",
    `A LoRA of ${tasks.map((each) => `\`${each}\``).join(" and one of ")}, both at ${rateText(rate)}, summed with weights 1 and 1 by each method (\`slerp\`: halfway`,
    "between the two). 60 held-out questions of each:",
    "",
    `| | error against the true sum | file | ${tasks.join(" | ")} |`,
    `|---|---|---|${tasks.map(() => "---|").join("")}`,
    ...merging.map(
      ({ name, error, file_bytes, scores }) =>
        `| ${name} | ${error === null ? "" : error < 1e-4 ? "0" : percent(error)} | ${bytesText(file_bytes)} | ${tasks.map((each) => percent(scores[each]!)).join(" | ")} |`,
    ),
    "",
  ]
}

/** What an adapter and documents are for. */
function factsSection({ questions, rows, router_accuracy }: FactsFigures): string[] {
  return [
    "## Form against fact",
    "",
    "A LoRA that learned to answer in JSON, from texts of its own, and documents about people and towns that no training data",
    `names ([retrieval.md](retrieval.md)). ${questions} questions that a document answers (fact) and ${questions} requests that need none (form):`,
    "how many answers hold the right one, and how many are JSON.",
    "",
    "| | fact: right | fact: JSON | form: right | form: JSON | median time |",
    "|---|---|---|---|---|---|",
    ...rows.map(
      ({ name, fact, form, median_ms }) =>
        `| ${name} | ${percent(fact.right)} | ${percent(fact.formed)} | ${percent(form.right)} | ${percent(form.formed)} | ${median_ms.toFixed(0)} ms |`,
    ),
    "",
    `The router goes the right way for ${percent(router_accuracy)} of these questions and of as many that no document answers.`,
    "",
  ]
}
