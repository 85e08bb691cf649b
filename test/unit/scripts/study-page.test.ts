import { describe, expect, test } from "bun:test"
import { factsOf } from "../../../scripts/study/facts.ts"
import { findingsOf } from "../../../scripts/study/findings.ts"
import { keptOf, type MethodFigures } from "../../../scripts/study/methods.ts"
import { type StudyFigures, studyFiles } from "../../../scripts/study/page.ts"
import type { TasksFigures } from "../../../scripts/study/tasks.ts"
import { bytesText, rateText } from "../../../scripts/study/text.ts"
import type { Training } from "../../../scripts/study/training.ts"

const training: Training = {
  trainable: 12_345,
  file_bytes: 50_000,
  peak_memory_bytes: 2e8,
  predicted_memory_bytes: 1.9e8,
  tokens_per_second: 1234,
  seconds: 61,
  validation_loss: 0.0123,
  validation_right: 1,
  suite_before: 0.8,
  suite_after: 0.75,
  loss_before: 2,
  loss_after: 2.01,
}

const method = (name: string, right: number, suite: number, trainable: number): MethodFigures => ({
  method: name,
  rates: [0.001, 0.003, 0.01].map((learning_rate, i) => ({
    ...training,
    learning_rate,
    trainable,
    file_bytes: 4 * trainable,
    validation_right: i === 0 ? 0.5 : 1,
    suite_after: 0.8 - 0.2 * i,
  })),
  kept: 1,
  memory: {
    peak_memory_bytes: name === "full" ? 4e8 : 3e8,
    predicted_memory_bytes: name === "full" ? null : 2.7e8,
  },
  right,
  suite,
  perplexity: 2.1,
})

const tasks = (rate: number, first: number, second: number): TasksFigures => ({
  tasks: ["a", "b"],
  rate,
  before: [0, 0.1],
  mixed: [0.9, 0.8],
  sequential: [
    [1, 0.2],
    [first, second],
  ],
  backward_transfer: first - 1,
  forgetting: 1 - first,
})

const figures: StudyFigures = {
  machine: { cpu: "A CPU", cores: 2, memory_bytes: 1, runtime: "Bun", platform: "linux x64", load: 0 },
  command: "npm run study",
  date: "2026-01-02",
  base: "abcdef0123456789",
  task: "json-report",
  suite_items: 10,
  rate: 0.003,
  methods: {
    before: { right: 0.1, suite: 0.9, perplexity: 2 },
    methods: [method("lora", 1, 0.7, 12_345), method("full", 0.95, 0.6, 2_000_000)],
    variants: [{ ...training, name: "PiSSA", options: ["--set", "init=pissa"], memory: training }],
  },
  tasks: [tasks(0.001, 0.5, 0.7), tasks(0.003, 0, 0.6)],
  forgetting: ["LoRA", "LoRA, a third of the rate", "LoRA, replay", "LoRA, divergence"].map((name, i) => ({
    ...training,
    name,
    options: ["--learning-rate", "0.003"],
    suite_after: [0.4, 0.6, 0.78, 0.42][i]!,
  })),
  facts: {
    questions: 60,
    router_accuracy: 0.97,
    rows: [
      ["neither", 0, 0, 0.9],
      ["adapter alone", 0, 1, 0.9],
      ["retrieval alone", 1, 0, 0.1],
      ["both", 0.9, 0.99, 0.5],
      ["both, where the router says so", 0.9, 0.99, 0.9],
    ].map(([name, right, formed, form]) => ({
      name: name as string,
      fact: { right: right as number, formed: formed as number },
      form: { right: form as number, formed: 0.98 },
      median_ms: 41.2,
    })),
  },
  merging: [
    { name: "a alone", error: null, file_bytes: 70_000, scores: { a: 1, b: 0 } },
    { name: "b alone", error: null, file_bytes: 70_000, scores: { a: 0, b: 0.9 } },
    { name: "linear", error: 0, file_bytes: 70_000, scores: { a: 0.6, b: 0.4 } },
    { name: "ties", error: 0.123, file_bytes: 70_000, scores: { a: 0.9, b: 0.95 } },
  ],
}

test("the page has every figure that was measured, and charts beside it", () => {
  const files = studyFiles(figures)
  const page = files.get("study.md")!
  const charts = ["score", "retention", "rates", "parameters"].map((name) => `study/${name}.svg`)
  expect([...files.keys()]).toEqual(["study.md", ...charts])
  for (const row of [
    "ended on 2026-01-02, over the embedded base (abcdef012345)",
    "The frozen base: 10.0 % right, suite 90.0 %, perplexity 2.00.",
    "| `lora` | 3e-3 | 12.3k | 49.4 kB | 300 MB | 270 MB | -10.0 % | 1234 | 61 s | 100.0 % | 70.0 % | 2.10 |",
    "| `full` | 3e-3 | 2.0M | 8.0 MB | 400 MB | |  | 1234 | 61 s | 95.0 % | 60.0 % | 2.10 |",
    "| `lora` | 3e-3, kept | 0.0123 | 100.0 % | 80.0 % to 60.0 % |",
    "| PiSSA | `--set init=pissa` |",
    "| at once, 1e-3 | 90.0 % | 80.0 % |",
    "| in a row, 1e-3, after `b` | 50.0 % | 70.0 % |",
    "| in a row, 3e-3, after `b` | 0.0 % | 60.0 % |",
    "- At 1e-3: 85.0 % of all at once, 60.0 % in a row, with a backward transfer of -50.0 points and forgetting of 50.0",
    "| LoRA, replay | `--learning-rate 0.003` | 100.0 % | 80.0 % to 78.0 % | 2.000 to 2.010 |",
    "| both | 90.0 % | 99.0 % | 50.0 % | 98.0 % | 41 ms |",
    "The router goes the right way for 97.0 % of these questions",
    "| linear | 0 | 70.0 kB | 60.0 % | 40.0 % |",
    "| ties | 12.3 % | 70.0 kB | 90.0 % | 95.0 % |",
  ])
    expect(page).toContain(row)
  expect(page).not.toMatch(/undefined|NaN|null/)
  for (const chart of charts) {
    expect(page).toContain(`](${chart})`)
    expect(files.get(chart)).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
  }
  expect(files.get("study/rates.svg")!.match(/<circle /g)).toHaveLength(6)
})

describe("findings are what the figures say, whichever way they fall", () => {
  const verdictOf = (changed: Partial<StudyFigures>, claim: string): string =>
    findingsOf({ ...figures, ...changed }).find((each) => each.claim.startsWith(claim))!.verdict
  const methods = (...all: MethodFigures[]) => ({ methods: { ...figures.methods, methods: all } })
  const lora = figures.methods.methods[0]!
  const full = figures.methods.methods[1]!
  const forgetting = (name: string, suite_after: number, validation_right = 1) => ({
    forgetting: figures.forgetting.map((run) => (run.name === name ? { ...run, suite_after, validation_right } : run)),
  })
  const rows: readonly (readonly [string, Partial<StudyFigures>, string])[] = [
    ["Every method teaches", {}, "borne out"],
    ["Every method teaches", methods({ ...lora, right: 0.3 }, full), "in part"],
    ["A small part of the parameters", {}, "borne out"],
    ["A small part of the parameters", methods({ ...lora, right: 0.8 }, full), "contradicted"],
    ["Few parameters save memory", {}, "in part"],
    ["Full fine-tuning forgets", {}, "borne out"],
    ["Full fine-tuning forgets", methods({ ...lora, suite: 0.5 }, full), "contradicted"],
    ["What leaves every weight", methods(lora, full, { ...lora, method: "prompt_tuning", suite: 0.5 }), "contradicted"],
    ["What leaves every weight", methods(lora, full, { ...lora, method: "p_tuning", suite: 0.8 }), "borne out"],
    ["How much is forgotten", {}, "contradicted"],
    ["Tasks learned together", {}, "borne out"],
    ["Tasks learned together", { tasks: [tasks(0.001, 0.9, 0.8), tasks(0.003, 0, 0.6)] }, "in part"],
    ["Tasks learned together", { tasks: [tasks(0.001, 0.9, 0.8), tasks(0.003, 0.9, 0.8)] }, "contradicted"],
    ["Replay keeps", {}, "borne out"],
    ["Replay keeps", forgetting("LoRA, replay", 0.78, 0.6), "in part"],
    ["Replay keeps", forgetting("LoRA, replay", 0.41), "contradicted"],
    ["Holding the distribution", {}, "contradicted"],
    ["Holding the distribution", forgetting("LoRA, divergence", 0.7), "borne out"],
    ["Adapters of two tasks", {}, "borne out"],
    ["Fine-tune for form", {}, "borne out"],
    ["Passages hurt", {}, "borne out"],
  ]
  for (const [claim, changed, verdict] of rows)
    test(`${claim} ... is ${verdict}`, () => expect(verdictOf(changed, claim)).toBe(verdict))
})

test("of rates that answer alike the lowest is kept", () => {
  const rates = (...right: number[]) => right.map((validation_right) => ({ validation_right }))
  expect(keptOf(rates(0.5, 1, 1))).toBe(1)
  expect(keptOf(rates(1, 1, 1))).toBe(0)
  expect(keptOf(rates(0.2, 0.5, 0.9))).toBe(2)
})

test("small files and rates have digits that say something", () => {
  expect([940, 12_345, 651_000, 11_020_000].map(bytesText)).toEqual(["0.9 kB", "12.3 kB", "651 kB", "11.0 MB"])
  expect([0.001, 0.00033, 0.09].map(rateText)).toEqual(["1e-3", "3.3e-4", "9e-2"])
})
test("form against fact is told of the base and the adapter, with documents and without", () => {
  const tally = (holds: number, formed: number) => ({ questions: 10, exact: 0, abstained: 0, holds, formed })
  const mode = (fact: number, formed: number) => ({
    kinds: { fact: tally(fact, formed), form: tally(5, formed), absent: tally(0, 0) },
    medianMs: 20,
    decidingMs: 1,
  })
  const router = { accuracy: 0.9, precision: 1, recall: 1 }
  const { rows, router_accuracy } = factsOf(
    [
      { figures: { off: mode(0, 0), always: mode(9, 0), auto: mode(8, 0) }, router },
      { figures: { off: mode(1, 10), always: mode(7, 10), auto: mode(6, 9) }, router: { ...router, accuracy: 0.1 } },
    ],
    10,
  )
  expect(router_accuracy).toBe(0.9)
  expect(rows.map(({ name, fact }) => [name, fact.right, fact.formed])).toEqual([
    ["neither", 0, 0],
    ["adapter alone", 0.1, 1],
    ["retrieval alone", 0.9, 0],
    ["both", 0.7, 1],
    ["both, where the router says so", 0.6, 0.9],
  ])
  expect(rows[0]!.form).toEqual({ right: 0.5, formed: 0 })
})
