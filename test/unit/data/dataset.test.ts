import { describe, expect, test } from "bun:test"
import { isEspalierError } from "../../../src/core/errors.ts"
import { type DatasetOptions, loadDataset } from "../../../src/data/dataset.ts"
import { describeDataset } from "../../../src/data/describe.ts"
import { questionOf } from "../../../src/data/question.ts"
import { parseRow, type Row } from "../../../src/data/rows.ts"
import { charTokenizer } from "../../support/char-tokenizer.ts"

const load = (lines: readonly unknown[], options: Partial<DatasetOptions> = {}, hasChatTemplate = true) => {
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n")
  return loadDataset("rows.jsonl", new TextEncoder().encode(text), charTokenizer({ hasChatTemplate }), {
    maxLength: 64,
    ...options,
  })
}
const pair = (prompt: string, completion: string) => ({ prompt, completion })

describe("loadDataset()", () => {
  test("accounts for every row: used, skipped while reading, recognising and rendering", async () => {
    const wizard = {
      messages: [
        { role: "wizard", content: "a" },
        { role: "assistant", content: "a" },
      ],
    }
    const { examples, rows, report } = await load([
      pair("ab", "c"),
      "{",
      { oops: 1 },
      { text: "xyz" },
      wizard,
      pair("ab", "c"),
    ])
    expect(examples.map(({ line }) => line)).toEqual([1, 4, 6])
    expect(rows.get(4)).toMatchObject({ kind: "text", text: "xyz" })
    expect(report.used).toBe(3)
    expect(report.skipped.map(({ line }) => line)).toEqual([2, 3, 5])
    expect(report.skipped[2]!.reason).toBe("No role wizard in this template")
    expect(report.shapes).toEqual({ "prompt-completion": 2, text: 1 })
    expect(report.duplicates).toBe(1)
    // <|user|>ab<|end|><|assistant|>c<|end|> is 7 tokens of which 2 count; xyz</s> is 4 of which the first has nothing before it.
    expect(report.tokens).toBe(7 + 4 + 7)
    expect(report.labelledTokens).toBe(2 + 3 + 2)
    expect(report.longest).toBe(7)
  })

  test("cuts longer rows on the right and counts what is lost", async () => {
    const { examples, report } = await load([pair("ab", "cdefgh"), pair("a", "b")], { maxLength: 7 })
    expect(examples.map(({ ids }) => ids.length)).toEqual([7, 6])
    expect(report).toMatchObject({ truncated: 1, cutTokens: 5, longest: 12, maxLength: 7 })
  })

  test("drops a row whose labels were all cut off, and says so", async () => {
    const { report } = await load([pair("abcdefgh", "i"), pair("a", "b")], { maxLength: 8 })
    expect(report.used).toBe(1)
    expect(report.truncated).toBe(0)
    expect(report.skipped).toEqual([{ line: 1, reason: "No token counts in the loss after the cut at 8 of 13 tokens" }])
  })

  test("refuses a data set whose every label is masked", async () => {
    const masked = {
      messages: [
        { role: "user", content: "q" },
        { role: "assistant", content: "a", weight: 0 },
      ],
    }
    const error = await load([masked, masked]).catch((e) => e)
    expect(isEspalierError(error, "invalid_file")).toBe(true)
    expect(error.message).toBe(
      "rows.jsonl has nothing to learn: every label is masked\n" +
        "  line 1: No token counts in the loss\n  line 2: No token counts in the loss",
    )
    expect(error.hint).toContain("--loss-on all")
    expect((await load([masked], { lossOn: "all" })).report.used).toBe(1)
  })

  test("refuses a data set without a usable row, with the first reasons", async () => {
    const error = await load(["1", "2", "3", "4", "5", "6", "7"]).catch((e) => e)
    expect(isEspalierError(error, "invalid_file")).toBe(true)
    expect(error.message).toStartWith(
      "rows.jsonl has no usable row\n  line 1: Expected a JSON object but found a number",
    )
    expect(error.message).toEndWith("\n  and 2 more")
  })

  test("refuses an empty file", async () => {
    await expect(load([])).rejects.toThrow("rows.jsonl has no row")
  })

  test("says what messages need where there is no chat template", async () => {
    const row = { messages: [{ role: "assistant", content: "a" }] }
    await expect(load([row], {}, false)).rejects.toThrow(
      "line 1: Messages need a chat template (Use prompt and completion rows",
    )
  })

  test("hashes the raw bytes", async () => {
    const { sha256 } = await loadDataset("a.jsonl", new TextEncoder().encode('{"text":"ab"}'), charTokenizer(), {
      maxLength: 8,
    })
    const hasher = new Bun.CryptoHasher("sha256")
    expect(sha256).toBe(hasher.update('{"text":"ab"}').digest("hex"))
  })

  test("refuses a longest row that leaves nothing to predict", async () => {
    await expect(load([pair("a", "b")], { maxLength: 1 })).rejects.toThrow("at least 2 tokens but found 1")
  })
})

describe("describeDataset()", () => {
  test("says what is used, cut, repeated and skipped", async () => {
    const lines = [pair("ab", "cdefgh"), pair("ab", "cdefgh"), pair("a", "b"), ...Array.from({ length: 7 }, () => "7")]
    const { report } = await load(lines, { maxLength: 8 })
    expect(describeDataset(report)).toEqual([
      "3 rows (3 prompt-completion), 22 tokens, 36% of them in the loss, longest 12",
      "2 rows cut at 8 tokens, 8 tokens lost",
      "1 row repeated word for word",
      "7 rows skipped:",
      ...[4, 5, 6, 7, 8].map((line) => `  line ${line}: Expected a JSON object but found a number`),
      "  and 2 more",
    ])
  })

  test("is one line where nothing is to be said", async () => {
    expect(describeDataset((await load([{ text: "ab" }])).report).length).toBe(1)
  })
})

describe("questionOf()", () => {
  const row = (value: Record<string, unknown>) => parseRow({ line: 1, value }) as Row

  test("is what comes before the last assistant turn, with that turn as the answer", () => {
    const user = { role: "user", content: "q" }
    const messages = [user, { role: "assistant", content: "a" }, user, { role: "assistant", content: "b" }]
    expect(questionOf(row({ messages }))).toEqual({ messages: messages.slice(0, 3), prompt: null, answer: "b" })
    expect(questionOf(row(pair("p", "c")))).toEqual({
      messages: [{ role: "user", content: "p" }],
      prompt: "p",
      answer: "c",
    })
  })

  test("is null where nothing is asked", () => {
    expect(questionOf(row({ text: "t" }))).toBeNull()
    expect(questionOf(row({ messages: [{ role: "assistant", content: "a" }] }))).toBeNull()
  })
})
