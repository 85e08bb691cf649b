/**
 * @module What `espalier train` says about forgetting.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openEngine } from "../../../src/presets/open-engine.ts"
import { type CliRun, runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-train-retention-"))
const [base, data, suite] = ["base", "data.jsonl", "suite.jsonl"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
]
const jsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

beforeAll(() => {
  writeTinyBase(base, 1)
  writeFileSync(data, jsonl(Array.from({ length: 8 }, (_, i) => ({ prompt: `Who is it ${i}?`, completion: "A cat." }))))
  const question = (family: string, i: number) => ({
    family,
    messages: [{ role: "user", content: `What is it ${i}?` }],
    answer: "A dog.",
  })
  writeFileSync(
    suite,
    jsonl([
      ...[1, 2, 3].map((i) => question("one", i)),
      ...[1, 2, 3].map((i) => question("two", i)),
      ...[1, 2, 3].map((i) => ({ family: "text", text: ` A cat sat on a mat ${i}.` })),
    ]),
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const train = (out: string, ...args: string[]): Promise<CliRun> =>
  runCli(
    ...["train", "--base", base, "--data", data, "--steps", "2", "--backend", "native", "--threads", "1"],
    ...["--no-score", "--out", join(folder, out), ...args],
  )
const facts = (out: string) => JSON.parse(readFileSync(join(folder, out, "espalier.json"), "utf8"))

describe("espalier train --retention", () => {
  test("scores a suite before and after, in what it writes and in espalier.json", async () => {
    const { code, records } = await train("own", "--retention", suite, "--retention-items", "6", "--json")
    expect(code).toBe(0)
    const { retention } = records.at(-1) as { retention: Record<string, unknown> }
    expect(retention).toMatchObject({
      suite: { name: suite },
      questions: 5,
      texts: 1,
      score: { before: expect.any(Number), after: expect.any(Number) },
      loss: { before: expect.any(Number), after: expect.any(Number) },
      forgotten: expect.any(Number),
    })
    const { loss } = retention as { loss: { before: number; after: number } }
    expect(loss.after).not.toBe(loss.before)
    expect(facts("own").retention).toEqual(retention)
  }, 30_000)

  test("takes the base's own suite where its folder has one, and shows a table", async () => {
    writeFileSync(join(base, "suite.jsonl"), readFileSync(suite))
    const { out } = await train("base-suite")
    rmSync(join(base, "suite.jsonl"))
    expect(out).toContain("Retention (6 questions and 3 texts of the base's suite)")
    expect(out).toContain("  questions answered right")
    expect(out).toContain("  loss of texts")
  }, 30_000)

  test("takes the bundled suite's texts alone for another base", async () => {
    const { records } = await train("foreign", "--retention-items", "4", "--json")
    expect(records.at(-1)?.["retention"]).toMatchObject({ questions: 0, texts: 4, score: null, forgotten: null })
  }, 30_000)

  test("off measures nothing", async () => {
    const { records } = await train("off", "--retention", "off", "--json")
    expect(records.at(-1)?.["retention"]).toBeNull()
    expect(facts("off")).not.toHaveProperty("retention")
  }, 30_000)

  test("refuses a suite that isn't there before anything is trained", async () => {
    const { code, err } = await train("none", "--retention", join(folder, "no.jsonl"))
    expect(code).toBe(3)
    expect(err).toContain("There is no suite")
  })
})

describe("espalier train --max-forgetting", () => {
  /** What the tiny base itself answers, which training on something else unlearns. */
  const knownSuite = async (): Promise<string> => {
    const path = join(folder, "known.jsonl")
    const asked = ["What is it?", "Who sat on it?", "What colour is the sky?"]
    const rows = []
    for (const content of asked) {
      const { records } = await runCli(
        ...["generate", content, "--base", base, "--backend", "native", "--threads", "1", "--max-tokens", "6"],
        ...["--temperature", "0", "--json"],
      )
      const answer = String(records.at(-1)?.["text"] ?? "").trim()
      if (answer !== "") rows.push({ family: "known", messages: [{ role: "user", content }], answer })
    }
    expect(rows.length).toBeGreaterThan(0)
    writeFileSync(path, jsonl(rows))
    return path
  }
  const forget = ["--steps", "40", "--epochs", "40", "--learning-rate", "0.03", "--set", "rank=4"]

  test("holds back an adapter over which more was forgotten, which is served by force alone", async () => {
    const known = await knownSuite()
    const { code, out } = await train("held", "--retention", known, "--max-forgetting", "0", ...forget)
    expect(out).toContain("Held back from serving: the base forgot ")
    expect(code).toBe(6)
    expect(facts("held")).toMatchObject({ promoted: false, max_forgetting: 0 })
    const settings = { base, backend: "native", threads: 1 } as const
    const [strict, forced] = [await openEngine(settings), await openEngine({ ...settings, force: true })]
    try {
      await expect(strict.load("held", { path: join(folder, "held") })).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining("was not promoted to serving: the base forgot "),
      })
      expect(await forced.load("held", { path: join(folder, "held") })).toMatchObject({ name: "held" })
    } finally {
      await strict.close()
      await forced.close()
    }
  }, 30_000)

  test("holds back a base that was fine-tuned in full, too", async () => {
    const known = await knownSuite()
    const { code } = await train(
      ...["held-full", "--retention", known, "--max-forgetting", "0", "--method", "full"],
      ...["--steps", "40", "--epochs", "40", "--learning-rate", "0.03"],
    )
    expect(code).toBe(6)
    const settings = { base: join(folder, "held-full"), backend: "native", threads: 1 } as const
    await expect(openEngine(settings)).rejects.toMatchObject({ code: "conflict" })
    await (await openEngine({ ...settings, force: true })).close()
  }, 30_000)

  test("promotes one within the limit", async () => {
    const { code } = await train("kept", "--retention", suite, "--max-forgetting", "100")
    expect(code).toBe(0)
    expect(facts("kept")).toMatchObject({ promoted: true, max_forgetting: 100 })
  }, 30_000)

  test("needs questions to score", async () => {
    const { code, err } = await train("none", "--max-forgetting", "2")
    expect(code).toBe(2)
    expect(err).toContain("needs questions to score")
  })
})

describe("espalier train --replay", () => {
  test("mixes in the suite's items that retention does not score", async () => {
    const own = join(base, "suite.jsonl")
    writeFileSync(own, readFileSync(suite))
    const { code, records } = await train("replay", "--replay", "0.25", "--retention-items", "4", "--json")
    rmSync(own)
    expect(code).toBe(0)
    expect(records.find(({ replay }) => replay === true)).toMatchObject({ type: "dataset", used: 5 })
    expect(facts("replay")).toMatchObject({ replay: { rows: 5 }, settings: { replay: 0.25 } })
  }, 30_000)

  test("takes rows of a file, and ends with other values than without", async () => {
    const { code } = await train("replay-file", "--replay", "0.5", "--replay-data", data, "--retention", "off")
    expect(code).toBe(0)
    await train("no-replay", "--retention", "off")
    expect(facts("replay-file").files).not.toEqual(facts("no-replay").files)
  }, 30_000)

  test("refuses what it can't do", async () => {
    const refusal = async (...args: string[]): Promise<string> => {
      const { code, err } = await train("none", ...args)
      expect(code).toBe(2)
      return err
    }
    expect(await refusal("--replay", "1")).toContain("above 0 and below 1")
    expect(await refusal("--replay-data", data)).toContain("needs --replay")
    // The bundled suite says nothing of what another base was taught.
    expect(await refusal("--replay", "0.1")).toContain("none are at hand")
    expect(await refusal("--replay", "0.1", "--retention", suite)).toContain("none is left to replay")
  })
})

describe("espalier train --kl", () => {
  test("keeps its factor and its rows among the settings, and ends with other values than without", async () => {
    // Where nothing has moved yet there is nothing to hold back: the first updates are the same.
    const longer = ["--steps", "5", "--epochs", "5", "--retention", "off"]
    const { code } = await train("kl", "--kl", "2", ...longer)
    expect(code).toBe(0)
    expect(facts("kl").settings.kl).toEqual({ beta: 2, rows: "all" })
    await train("no-kl", ...longer)
    expect(facts("kl").files).not.toEqual(facts("no-kl").files)
  }, 30_000)

  test("takes the replayed rows where there are some, and refuses them where there are none", async () => {
    const replay = ["--replay", "0.5", "--replay-data", data, "--retention", "off"]
    expect((await train("kl-replay", "--kl", "1", ...replay)).code).toBe(0)
    expect(facts("kl-replay").settings.kl).toEqual({ beta: 1, rows: "replay" })
    const { code, err } = await train("none", "--kl", "1", "--kl-data", "replay")
    expect(code).toBe(2)
    expect(err).toContain("needs rows that are replayed")
  }, 30_000)
})
