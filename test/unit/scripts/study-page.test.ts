import { expect, test } from "bun:test"
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
    /\| linear \| 12\.3 % \|.*\| 60\.0 % \| 40\.0 % \|/,
  ])
    expect(page).toMatch(row)
  expect(page).not.toMatch(/undefined|NaN|null/)
  const chart = files.get("study/score.svg")!
  expect(chart).toContain("json-report: held-out answers exactly right")
  expect(chart.match(/<rect /g)!.length).toBe(3)
})
