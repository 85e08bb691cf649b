import { expect, test } from "bun:test"
import { factsOf } from "../../../scripts/study/facts.ts"
import { type StudyFigures, studyFiles } from "../../../scripts/study/page.ts"

const method = (name: string, after: number) => ({
  method: name,
  settings: ["--epochs", "8"],
  trainable: 12_345,
  file_bytes: 50_000,
  peak_memory_bytes: 2e8,
  predicted_memory_bytes: name === "full" ? null : 1.9e8,
  tokens_per_second: 1234,
  seconds: 61,
  before: 0,
  after,
  suite_before: 0.8,
  suite_after: 0.75,
  perplexity_before: 2,
  perplexity_after: 2.1,
})

const figures: StudyFigures = {
  machine: { cpu: "A CPU", cores: 2, memory_bytes: 1, runtime: "Bun", platform: "linux x64", load: 0 },
  command: "npm run study",
  base: "abcdef0123456789",
  task: "json-report",
  suite_items: 10,
  methods: [method("lora", 1), method("full", 0.95)],
  tasks: {
    tasks: ["a", "b"],
    before: [0, 0.1],
    mixed: [0.9, 0.8],
    sequential: [
      [1, 0.2],
      [0.5, 0.7],
    ],
    backward_transfer: -0.5,
    forgetting: 0.5,
  },
  forgetting: [
    {
      name: "LoRA, replay",
      options: ["--replay", "0.2"],
      right: 1,
      suite_before: 0.8,
      suite_after: 0.78,
      loss_before: 2,
      loss_after: 2.01,
    },
  ],
  facts: {
    questions: 60,
    router_accuracy: 0.97,
    rows: [
      {
        name: "both",
        fact: { right: 0.9, formed: 0.99 },
        form: { right: 0.5, formed: 0.98 },
        median_ms: 41.2,
      },
    ],
  },
  merging: [{ name: "linear", error: 0.123, file_bytes: 70_000, scores: { a: 0.6, b: 0.4 } }],
}

test("the page has every figure that was measured, and charts beside it", () => {
  const files = studyFiles(figures)
  expect([...files.keys()]).toEqual(["study.md", "study/score.svg", "study/retention.svg", "study/parameters.svg"])
  const page = files.get("study.md")!
  for (const row of [
    /\| `lora` \| 12\.3 ?k .*\| 100\.0 % \| 80\.0 % to 75\.0 %/i,
    "| at once | 90.0 % | 80.0 % |",
    "| in a row, after `b` | 50.0 % | 70.0 % |",
    "backward transfer is -50.0 points and forgetting 50.0",
    "Mean over the tasks at the end: 85.0 % at once, 60.0 % in a row.",
    "| LoRA, replay | `--replay 0.2` | 100.0 % | 80.0 % to 78.0 % | 2.000 to 2.010 |",
    "| both | 90.0 % | 99.0 % | 50.0 % | 98.0 % | 41 ms |",
    "The router goes the right way for 97.0 % of these questions",
    /\| linear \| 12\.3 % \|.*\| 60\.0 % \| 40\.0 % \|/,
  ])
    expect(page).toMatch(row)
  expect(page).not.toMatch(/undefined|NaN|null/)
  const chart = files.get("study/score.svg")!
  expect(chart).toContain("json-report: held-out answers exactly right")
  expect(chart.match(/<rect /g)!.length).toBe(3)
})

test("figures that are older than a section make a page without it", () => {
  const { facts: _, ...older } = figures
  expect(studyFiles(older).get("study.md")).not.toMatch(/Form against fact|undefined/)
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
