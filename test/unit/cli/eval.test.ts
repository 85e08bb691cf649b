import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeRandomLora } from "../../../scripts/random-lora.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), "espalier-eval-"))
const base = join(root, "twig")
const adapter = join(root, "loud")
const suite = join(root, "suite.jsonl")

const evaluate = (...args: string[]) =>
  runCli("eval", "--base", base, "--backend", "native", "--threads", "1", "--suite", suite, ...args)

const questions = [
  "What colour is the sky?",
  "Who is it?",
  "A cat sat on a mat.",
  "Is it red?",
  "What sat on it?",
  "the sky",
]

beforeAll(async () => {
  writeTinyBase(base, 1)
  await writeRandomLora(await openBase(base), adapter, { seed: 2, std: 0.5 })
  // What the base itself answers is right in one family, so that its score is known; nobody answers as the other wants.
  const lines = []
  for (const content of questions) {
    const { out } = await runCli(
      "generate",
      content,
      "--base",
      base,
      "--backend",
      "native",
      "--max-tokens",
      "20",
      "--json",
    )
    const { text, finish_reason } = JSON.parse(out) as { text: string; finish_reason: string }
    if (finish_reason === "stop" && text.trim() !== "")
      lines.push({ family: "own", messages: [{ role: "user", content }], answers: ["never", text] })
  }
  if (lines.length === 0) throw new Error("The tiny base ends none of its answers: pick another seed")
  const other = [
    { family: "unknown", messages: [{ role: "user", content: "Who?" }], answer: "I don't know." },
    { family: "unknown", messages: [{ role: "user", content: "Where?" }], answer: "I don't know." },
    { family: "text", text: " A dog sat on a red mat." },
  ]
  writeFileSync(suite, [...lines, ...other].map((line) => `${JSON.stringify(line)}\n`).join(""))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Model {
  name: string
  adapter: string | null
  families: { family: string; items: number; exact: number; abstained: number }[]
  text: { texts: number; tokens: number; loss: number; perplexity: number }
  difference?: { families: { exact: number }[]; loss: number }
}

describe("espalier eval", () => {
  test("scores a base and an adapter over it, as JSON", async () => {
    const { code, out, err } = await evaluate("--adapter", `shout=${adapter}`, "--json")
    expect([code, err]).toEqual([0, ""])
    expect(out.trimEnd().split("\n")).toHaveLength(1)
    const { type, models } = JSON.parse(out) as { type: string; models: [Model, Model] }
    expect(type).toBe("scores")
    const [own, shout] = models
    expect(own).toMatchObject({ name: "twig", adapter: null })
    expect(own.families.map(({ family, exact }) => [family, exact])).toEqual([
      ["own", 1],
      ["unknown", 0],
    ])
    expect(own.text.perplexity).toBeCloseTo(Math.exp(own.text.loss), 6)
    expect(own.difference).toBeUndefined()
    expect(shout.name).toBe("shout")
    expect(shout.adapter).toMatch(/^[0-9a-f]{64}$/)
    expect(shout.text.loss).not.toBe(own.text.loss)
    expect(shout.difference!.loss).toBe(shout.text.loss - own.text.loss)
    expect(shout.difference!.families[0]!.exact).toBe(shout.families[0]!.exact - 1)
  })

  test("shows the same as a table, with the adapter under its folder's name", async () => {
    const { code, out } = await evaluate("--adapter", adapter)
    expect(code).toBe(0)
    expect(out).toMatch(/^Suite: .*suite\.jsonl \([0-9a-f]{12}\)\nBase: twig \([0-9a-f]{12}\), backend native/)
    expect(out).toMatch(/^ +twig +loud$/m)
    expect(out).toMatch(/^own +\d +100\.0 +0\.0 /m)
    expect(out).toMatch(/^perplexity of texts +1 +\d+\.\d\d +\d+\.\d\d +[+-]?\d+\.\d\d$/m)
  })

  test("takes families and a limit", async () => {
    const { out } = await evaluate("--family", "unknown", "--limit", "1", "--json")
    const [{ families, text }] = (JSON.parse(out) as { models: [Model] }).models
    expect(families.map(({ family, items }) => [family, items])).toEqual([["unknown", 1]])
    expect(text).toBeNull()
  })

  test("ends with 2 for a family that is not there, with 3 for a suite that is not there or is wrong", async () => {
    expect(await evaluate("--family", "unknwon")).toMatchObject({
      code: 2,
      err: expect.stringContaining("Known: own, unknown, text"),
    })
    expect(await evaluate("--limit", "0")).toMatchObject({ code: 2 })
    expect(await runCli("eval", "--suite", join(root, "none.jsonl"))).toMatchObject({ code: 3 })
    expect(await runCli("eval", "--suite", root)).toMatchObject({ code: 3 })
    const bad = join(root, "bad.jsonl")
    writeFileSync(bad, '{"family":"a","text":"b"}\n{"family":"a"}\n')
    const { code, err } = await runCli("eval", "--suite", bad)
    expect(code).toBe(3)
    expect(err).toContain(`${bad}:2: Expected messages with an answer, or a text`)
  })

  test("refuses an adapter of another base before anything is scored", async () => {
    const foreign = join(root, "foreign")
    writeTinyBase(foreign, 2)
    const { code, out, err } = await runCli("eval", "--base", foreign, "--suite", suite, "--adapter", adapter)
    expect([code, out]).toEqual([3, ""])
    expect(err).toContain('trained on base "twig"')
  })
})
