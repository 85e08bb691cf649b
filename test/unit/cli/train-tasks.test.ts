/**
 * @module Several tasks through `espalier train`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expandTasks } from "../../../src/cli/train-tasks.ts"
import { type CliRun, runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-train-tasks-"))
const at = (name: string): string => join(folder, name)
beforeAll(() => {
  writeTinyBase(at("base"), 1)
  const rows = (count: number, answer: string): string =>
    Array.from(
      { length: count },
      (_, i) => `${JSON.stringify({ prompt: `Who is it ${i}?`, completion: answer })}\n`,
    ).join("")
  writeFileSync(at("cats.jsonl"), rows(16, "A cat."))
  writeFileSync(at("dogs.jsonl"), rows(8, "A dog."))
  writeFileSync(at("dogs.heldout.jsonl"), rows(3, "A dog."))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const common = () => [
  ...["train", "--base", at("base"), "--backend", "native", "--threads", "1", "--retention", "off", "--json"],
  ...["--batch-size", "4", "--epochs", "1"],
]
const tasks = () => ["--task", `cats=${at("cats.jsonl")}`, "--task", `dogs=${at("dogs.jsonl")}`]
const train = (out: string, ...args: string[]): Promise<CliRun> => runCli(...common(), "--out", at(out), ...args)
const facts = (out: string) => JSON.parse(readFileSync(join(at(out), "espalier.json"), "utf8"))
const metrics = (out: string): Record<string, number>[] =>
  readFileSync(join(at(`${out}.run`), "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

describe("espalier train --task", () => {
  test("mixes tasks, and says of each its loss and how many answers are right", async () => {
    const { code, records, err } = await train("mixed", ...tasks(), "--mixture", "equal")
    expect({ code, err }).toEqual({ code: 0, err: "" })
    const figures = records.at(-1)!["tasks"]
    const task = (name: string, rows: number) => ({
      ...{ name, rows, share: 0.5 },
      loss: { before: expect.any(Number), after: expect.any(Number) },
      score: { questions: expect.any(Number), before: expect.any(Number), after: expect.any(Number) },
    })
    expect(figures).toEqual([task("cats", 16), task("dogs", 8)])
    const { tasks: saved, settings } = facts("mixed")
    expect(saved.map((each: { loss: unknown }) => each.loss)).toEqual(
      (figures as { loss: unknown }[]).map(({ loss }) => loss),
    )
    expect(saved[1].data).toMatchObject({ name: "dogs.jsonl", rows: 8, heldout: null })
    expect(settings).toMatchObject({ order: "mixed", mixture: { name: "equal", temperature: 1 } })
    const evaluation = records.find(({ type }) => type === "evaluation-end") as { tasks: { name: string }[] }
    expect(evaluation.tasks.map(({ name }) => name)).toEqual(["cats", "dogs"])
    const lines = metrics("mixed")
    expect(lines.some((line) => "eval_cats_loss" in line && "eval_dogs_loss" in line)).toBe(true)
    expect(lines.filter((line) => "eval_dogs_exact" in line)).toHaveLength(2)
  }, 30_000)

  test("trains tasks in turn from a configuration file, with the matrix of scores", async () => {
    writeFileSync(
      at("run.yaml"),
      `order: sequential\ntasks:\n  cats: ${at("cats.jsonl")}\n  dogs:\n    data: ${at("dogs.jsonl")}\n    heldout: ${at("dogs.heldout.jsonl")}\n`,
    )
    const { code, records, err } = await train("turns", "--config", at("run.yaml"))
    expect({ code, err }).toEqual({ code: 0, err: "" })
    const { curriculum } = records.at(-1) as { curriculum: { matrix: number[][] } }
    expect(curriculum).toMatchObject({
      measure: "exact",
      before: [expect.any(Number), expect.any(Number)],
      average: expect.any(Number),
      backwardTransfer: expect.any(Number),
      forgetting: expect.any(Number),
    })
    expect(curriculum.matrix.map((row) => row.length)).toEqual([2, 2])
    expect(facts("turns").curriculum).toEqual(curriculum)
    expect(records.flatMap(({ type, name }) => (type === "stage-start" ? [name] : []))).toEqual(["cats", "dogs"])
    expect(facts("turns").tasks[1].data.heldout).toBe("dogs.heldout.jsonl")
  }, 30_000)

  test("has the matrix by tokens where no answers are scored", async () => {
    const { records } = await train("tokens", ...tasks(), "--order", "sequential", "--no-score")
    expect(records.at(-1)!["curriculum"]).toMatchObject({ measure: "token_accuracy" })
  }, 30_000)

  test("refuses options that contradict, and tasks that can't be told apart", async () => {
    const refusal = async (...args: string[]): Promise<string> => {
      const { code, err } = await train("none", ...args)
      expect(code).toBe(2)
      return err
    }
    expect(await refusal(...tasks(), "--data", at("cats.jsonl"))).toContain("exclude each other")
    expect(await refusal("--data", at("cats.jsonl"), "--order", "sequential")).toContain("no --task is given")
    expect(await refusal(...tasks(), "--task-heldout", `birds=${at("dogs.jsonl")}`)).toContain("names birds")
    expect(await refusal(...tasks(), "--mix-temperature", "3")).toContain("--mixture temperature")
    expect(await refusal(...tasks(), "--task", `cats=${at("dogs.jsonl")}`)).toContain("Two tasks are called cats")
  }, 30_000)
})

test("expandTasks() refuses a task that is no file", () => {
  for (const files of [3, { data: 1 }, { data: "a.jsonl", held: "b.jsonl" }])
    expect(() => expandTasks({ tasks: { one: files } })).toThrow("tasks.one")
  expect(() => expandTasks({ tasks: "a.jsonl" })).toThrow("tasks:")
  expect(expandTasks({ tasks: ["a=b"], seed: 1 })).toEqual({ seed: 1, task: ["a=b"] })
})
