import { afterAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runCli } from "../../support/run-cli.ts"

const folder = await mkdtemp(join(tmpdir(), "espalier-test-"))
afterAll(() => rm(folder, { recursive: true, force: true }))
const bundled = "models/sprig/retrieval"

test("retrieval is measured: nothing is known without documents, and they are found", async () => {
  const { code, records, err } = await runCli("eval", "--rag", "--limit", "4", "--json", "--threads", "1")
  expect([err, code]).toEqual(["", 0])
  const [found] = records as unknown as [
    {
      recall: Record<string, number>
      models: {
        figures: Record<string, { kinds: Record<string, { questions: number; exact: number; abstained: number }> }>
        planted: Record<string, number>
      }[]
    },
  ]
  const { off, always } = found.models[0]!.figures
  expect(found.recall["3"]).toBeGreaterThan(0.9)
  expect(off!.kinds["fact"]).toMatchObject({ questions: 4, exact: 0 })
  expect(always!.kinds["fact"]!.exact).toBeGreaterThan(1)
  expect(always!.kinds["absent"]!.abstained).toBe(4)
  expect(found.models[0]!.planted).toMatchObject({ documents: 4, rerouted: 0, otherAdapter: 0 })
}, 60_000)

test("a router is calibrated and kept", async () => {
  const rows = readFileSync(`${bundled}/train.questions.jsonl`, "utf8").trim().split("\n")
  const kind = (retrieve: boolean) => rows.filter((row) => row.includes(`"retrieve":${retrieve}`)).slice(0, 12)
  const questions = join(folder, "questions.jsonl")
  await writeFile(questions, [...kind(true), ...kind(false)].join("\n"))
  const out = join(folder, "calibration.json")
  const from = ["--from", `${bundled}/train.documents.jsonl`, "--from", `${bundled}/everyday/train.documents.jsonl`]
  from.push("--documents", join(folder, "index"))
  const everyday = readFileSync(`${bundled}/everyday/train.questions.jsonl`, "utf8").split("\n").slice(0, 6)
  const more = join(folder, "more.jsonl")
  await writeFile(more, everyday.join("\n"))
  const run = await runCli("rag", "calibrate", questions, more, ...from, "--out", out, "--json", "--threads", "1")
  expect([run.err, run.code]).toEqual(["", 0])
  expect(run.records[0]).toMatchObject({ type: "calibration", examples: 30 })
  expect(Number(run.records[0]!["recall"])).toBeGreaterThan(0.8)
  expect(JSON.parse(readFileSync(out, "utf8")).router.examples).toBe(30)
  const few = await runCli("rag", "calibrate", join(folder, "none.jsonl"), ...from)
  expect([few.code, few.err]).toEqual([3, expect.stringContaining("There is no file or folder")])
}, 60_000)
