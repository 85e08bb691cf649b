/**
 * @module The study as a page: tables and charts out of its figures, and nothing that isn't in them.
 */
import { formatBytes, formatCount } from "../../src/train/progress.ts"
import type { Machine } from "../bench/machine.ts"
import { type Bar, barChart } from "./chart.ts"
import type { FactsFigures } from "./facts.ts"
import type { ForgettingFigures } from "./forgetting.ts"
import type { MergeFigures } from "./merging.ts"
import type { MethodFigures } from "./methods.ts"
import type { TasksFigures } from "./tasks.ts"

/** Everything that a run of the study found. */
export interface StudyFigures {
  readonly machine: Machine
  readonly command: string
  /** sha256 of the base's tensors. */
  readonly base: string
  readonly task: string
  readonly suite_items: number
  readonly methods: readonly MethodFigures[]
  readonly tasks: TasksFigures
  readonly forgetting: readonly ForgettingFigures[]
  readonly merging: readonly MergeFigures[]
  /** Missing in figures that are older than the section. */
  readonly facts?: FactsFigures
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

/** Files of the page: docs/study.md and its charts, by path below docs/. */
export function studyFiles(figures: StudyFigures): Map<string, string> {
  const { methods } = figures
  const bars = (value: (each: MethodFigures) => number, text: (each: MethodFigures) => string): Bar[] =>
    methods.map((each) => ({ label: each.method, value: value(each), text: text(each) }))
  return new Map([
    ["study.md", page(figures)],
    [
      "study/score.svg",
      barChart(
        `${figures.task}: held-out answers exactly right`,
        bars(
          (each) => each.after,
          ({ before, after }) => `${percent(after)} (before ${percent(before)})`,
        ),
        1,
      ),
    ],
    [
      "study/retention.svg",
      barChart(
        "the base's own suite after training, mean of its families",
        bars(
          (each) => each.suite_after,
          ({ suite_before, suite_after }) => `${percent(suite_after)} (before ${percent(suite_before)})`,
        ),
        1,
      ),
    ],
    [
      "study/parameters.svg",
      barChart(
        "trained parameters, on a logarithmic scale",
        bars(
          (each) => Math.log10(each.trainable),
          ({ trainable }) => formatCount(trainable),
        ),
        Math.max(...methods.map(({ trainable }) => Math.log10(trainable))),
      ),
    ],
  ])
}

function page(figures: StudyFigures): string {
  const { machine, command, base, task, suite_items, methods, merging } = figures
  const merged = merging.length > 0 ? Object.keys(merging[0]!.scores) : []
  return [
    "# The study",
    "",
    `Every figure here comes from one run of \`${command}\` over the embedded base (${base.slice(0, 12)}), seed 0, on ${machine.cpu},`,
    `${machine.cores} cores, ${machine.runtime}. Each training and each scoring is a process of its own. The base is small and so are the`,
    "tasks: what holds here says how the methods compare on it, not how good they are on a model of a real size.",
    "",
    "## Methods",
    "",
    `Each method learns \`${task}\` from 240 rows and answers 60 held-out questions, right to the letter. What it has made the base`,
    `forget is measured on the base's own suite, ${suite_items} questions of each family, and on the perplexity of held-out texts.`,
    "",
    "![scores](study/score.svg)",
    "",
    "![retention](study/retention.svg)",
    "",
    "![parameters](study/parameters.svg)",
    "",
    "| method | trained | file | peak memory | predicted | tokens/s | time | right | suite | perplexity |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...methods.map(
      (each) =>
        `| \`${each.method}\` | ${formatCount(each.trainable)} | ${formatBytes(each.file_bytes)} | ${formatBytes(each.peak_memory_bytes)} | ${each.predicted_memory_bytes === null ? "" : formatBytes(each.predicted_memory_bytes)} | ${each.tokens_per_second.toFixed(0)} | ${each.seconds.toFixed(0)} s | ${percent(each.after)} | ${percent(each.suite_before)} to ${percent(each.suite_after)} | ${each.perplexity_before.toFixed(2)} to ${each.perplexity_after.toFixed(2)} |`,
    ),
    "",
    `Settings are the methods' own, with these: ${methods.map(({ method, settings }) => `\`${method}\` ${settings.join(" ")}`).join("; ")}.`,
    "",
    ...tasksSection(figures.tasks),
    ...forgettingSection(task, figures.forgetting),
    ...(merging.length > 0
      ? [
          "## Merging",
          "",
          `A LoRA of ${merged.map((each) => `\`${each}\``).join(" and one of ")}, summed with weights 1 and 1 by each method (\`slerp\`: halfway between the two).`,
          "",
          `| | error against the true sum | file | ${merged.join(" | ")} |`,
          `|---|---|---|${merged.map(() => "---|").join("")}`,
          ...merging.map(
            ({ name, error, file_bytes, scores }) =>
              `| ${name} | ${error === null ? "" : error < 1e-4 ? "0" : percent(error)} | ${formatBytes(file_bytes)} | ${merged.map((each) => percent(scores[each]!)).join(" | ")} |`,
          ),
          "",
        ]
      : []),
    ...(figures.facts ? factsSection(figures.facts) : []),
  ].join("\n")
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
    `The form comes from the adapter, the facts from the documents. The router goes the right way for ${percent(router_accuracy)} of these questions`,
    "and of as many that no document answers.",
    "",
  ]
}

/** Several tasks by one adapter. */
function tasksSection({ tasks, before, mixed, sequential, backward_transfer, forgetting }: TasksFigures): string[] {
  const row = (name: string, scores: readonly number[]): string => `| ${name} | ${scores.map(percent).join(" | ")} |`
  const mean = (scores: readonly number[]): number => scores.reduce((sum, score) => sum + score, 0) / scores.length
  return [
    "## Several tasks",
    "",
    "One LoRA for three tasks: rows of all in every batch, or one task after another. Held-out answers exactly right:",
    "",
    `| | ${tasks.map((task) => `\`${task}\``).join(" | ")} |`,
    `|---|${tasks.map(() => "---|").join("")}`,
    row("before", before),
    row("at once", mixed),
    ...sequential.map((scores, i) => row(`in a row, after \`${tasks[i]}\``, scores)),
    "",
    `In a row, backward transfer is ${(100 * backward_transfer).toFixed(1)} points and forgetting ${(100 * forgetting).toFixed(1)} (of each earlier task, its best score less its last).`,
    `Mean over the tasks at the end: ${percent(mean(mixed))} at once, ${percent(mean(sequential.at(-1)!))} in a row.`,
    "",
  ]
}

/** What the remedies give back. */
function forgettingSection(task: string, runs: readonly ForgettingFigures[]): string[] {
  return [
    "## Forgetting",
    "",
    `\`${task}\` with the remedies of [forgetting.md](forgetting.md): what is learned, what is left of the base's own suite, and the`,
    "loss of neutral texts.",
    "",
    "| | options | right | suite | loss of texts |",
    "|---|---|---|---|---|",
    ...runs.map(
      (run) =>
        `| ${run.name} | ${run.options.length > 0 ? `\`${run.options.join(" ")}\`` : ""} | ${percent(run.right)} | ${percent(run.suite_before)} to ${percent(run.suite_after)} | ${run.loss_before.toFixed(3)} to ${run.loss_after.toFixed(3)} |`,
    ),
    "",
  ]
}
