import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeRandomLora } from "../../../scripts/random-lora.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(120_000)

const root = mkdtempSync(join(tmpdir(), "espalier-merge-scores-"))
const at = (name: string): string => join(root, name)
const engine = ["--base", at("twig"), "--backend", "native", "--threads", "1"]

/** Questions whose right answer is what an adapter answers: it scores 1, and others by how much they answer alike. */
async function writeOwnAnswers(adapter: string): Promise<void> {
  const lines: string[] = []
  for (const prompt of ["What colour is the sky?", "Who is it?", "Is it red?", "the sky", "A cat sat on a mat."]) {
    const args = ["generate", prompt, ...engine, "--adapter", at(adapter), "--max-tokens", "20", "--json"]
    const { text, finish_reason } = JSON.parse((await runCli(...args)).out) as { text: string; finish_reason: string }
    if (finish_reason === "stop" && text.trim() !== "") lines.push(JSON.stringify({ prompt, completion: text.trim() }))
  }
  if (lines.length === 0) throw new Error(`${adapter} ends none of its answers: pick another seed`)
  writeFileSync(at(`${adapter}.jsonl`), lines.join("\n"))
}

beforeAll(async () => {
  writeTinyBase(at("twig"), 1)
  const open = await openBase(at("twig"))
  await writeRandomLora(open, at("one"), { seed: 1, std: 0.15, settings: { rank: 2 } })
  await writeRandomLora(open, at("two"), { seed: 3, std: 0.15, settings: { rank: 2 } })
  for (const name of ["one", "two"]) await writeOwnAnswers(name)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const merge = (...args: string[]) =>
  runCli("merge", at("one"), at("two"), ...engine, "--data", `one=${at("one.jsonl")}`, "--out", at("out"), ...args)

interface Line {
  scores: {
    files: string[]
    models: { name: string; scores: { parts: number[]; mean: number } }[]
    weights: number[]
    trials: { weights: number[]; scores: { mean: number } }[] | null
  }
}

describe("espalier merge --score", () => {
  test("scores base, sources and merge on each file, and keeps that in espalier.json", async () => {
    const { code, out, err } = await merge("--score", "--data", `two=${at("two.jsonl")}`, "--weights=1,0", "--json")
    expect([code, err]).toEqual([0, ""])
    const { scores } = JSON.parse(out) as Line
    expect(scores.files).toEqual(["one", "two"])
    const [base, one, two, merged] = scores.models
    expect([base!.name, one!.name, two!.name, merged!.name]).toEqual(["twig", "one", "two", "merged"])
    expect([one!.scores.parts[0], two!.scores.parts[1]]).toEqual([1, 1])
    // At weights 1 and 0 the merge is the first of them.
    expect(merged!.scores).toEqual(one!.scores)
    const facts = JSON.parse(readFileSync(join(at("out"), "espalier.json"), "utf8"))
    expect(facts.merge.scores.models).toEqual(scores.models)
  })
  test("shows it as a table", async () => {
    const { out } = await merge("--score")
    expect(out).toMatch(/answers exactly right +one +mean\ntwig .*%\none +100 % +100 %\n/)
  })
  test("--search keeps the weights of the best mean, and says what was tried", async () => {
    const { out } = await merge("--search", "--weights=0,1", "--json")
    const { scores } = JSON.parse(out) as Line
    expect(scores.trials).toHaveLength(17)
    const best = Math.max(...scores.trials!.map(({ scores }) => scores.mean))
    expect(scores.models.at(-1)!.scores.mean).toBe(best)
    const facts = JSON.parse(readFileSync(join(at("out"), "espalier.json"), "utf8"))
    expect(facts.merge.sources.map(({ weight }: { weight: number }) => weight)).toEqual(scores.weights)
    expect(scores.trials!.find(({ scores }) => scores.mean === best)!.weights).toEqual(scores.weights)
  })
  test("refuses to score without questions, a file that is not there, and a fused base", async () => {
    const rows: readonly (readonly [string[], number, RegExp])[] = [
      [[at("one"), "--score"], 2, /wants held-out questions/],
      [[at("one"), "--data", "one=nothing.jsonl"], 3, /no readable file nothing\.jsonl/],
      [[at("one"), "--data", `one=${at("one.jsonl")}`, "--fuse"], 2, /espalier eval/],
    ]
    for (const [args, wanted, message] of rows) {
      const { code, err } = await runCli("merge", ...args, ...engine, "--out", at("x"))
      expect(code).toBe(wanted)
      expect(err).toMatch(message)
    }
  })
})
