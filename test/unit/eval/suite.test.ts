import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import { readSuite, selectItems } from "../../../src/eval/suite.ts"

const ask = (content: string) => [{ role: "user", content }]
const file = (...lines: unknown[]): Uint8Array =>
  new TextEncoder().encode(lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""))

/** The message of the error that reading ends with. */
async function refused(...lines: unknown[]): Promise<string> {
  try {
    await readSuite("mine.jsonl", file(...lines))
  } catch (error) {
    if (error instanceof EspalierError && error.code === "invalid_file") return error.message
    throw error
  }
  throw new Error("It was not refused")
}

describe("readSuite()", () => {
  test("reads questions and texts, with every answer that is right", async () => {
    const bytes = file(
      { family: "fact", messages: ask("What colour is the sky?"), answer: " blue\n" },
      "",
      { family: "fact", messages: ask("Hi"), answer: "a", answers: ["b", "a", " c "] },
      { family: "fact", messages: ask("Hi"), answers: ["b"] },
      { family: "unknown-2", messages: ask("Who?"), answer: "I don't know." },
      { family: "text", text: " A twig." },
    )
    const { name, hash, items } = await readSuite("mine.jsonl", bytes)
    expect(name).toBe("mine.jsonl")
    expect(hash).toHaveLength(64)
    expect(items as unknown[]).toEqual([
      { family: "fact", line: 1, messages: ask("What colour is the sky?"), answers: ["blue"] },
      { family: "fact", line: 3, messages: ask("Hi"), answers: ["a", "b", "c"] },
      { family: "fact", line: 4, messages: ask("Hi"), answers: ["b"] },
      { family: "unknown-2", line: 5, messages: ask("Who?"), answers: ["I don't know."] },
      { family: "text", line: 6, text: " A twig." },
    ])
  })

  test("reports every bad line by file, line and reason", async () => {
    const message = await refused(
      { family: "fact", messages: ask("Hi"), answer: "a" },
      "{not json",
      { messages: ask("Hi"), answer: "a" },
      { family: "fact", messages: [], answer: "a" },
      { family: "fact", messages: ask("Hi") },
      { family: "fact", messages: ask("Hi"), answer: "  " },
      { family: "fact", messages: [...ask("Hi"), { role: "assistant", content: "a" }], answer: "a" },
      { family: "fact", prompt: "Hi", completion: "a" },
      { family: "unknown", messages: ask("Who?"), answer: "Mira" },
      { family: "text", text: "" },
      { family: "fact", messages: ask("Hi"), answer: "a", anwsers: ["b"] },
      { family: "fact", messages: ask("Hi"), answer: 3 },
    )
    const lines = message.split("\n").slice(1)
    expect(lines).toHaveLength(11)
    const reasons: [number, RegExp][] = [
      [2, /Not valid JSON/],
      [3, /family: .*/],
      [4, /messages: Expected at least one message/],
      [5, /answer: Expected some text/],
      [6, /answer: Expected some text/],
      [7, /messages: Expected a question at the end/],
      [8, /Expected messages with an answer, or a text/],
      [9, /answer: Expected "I don't know\."/],
      [10, /text: Expected some text/],
      [11, /anwsers: /],
      [12, /answer: .*string/],
    ]
    for (const [i, [line, reason]] of reasons.entries()) {
      expect(lines[i]!.trim()).toStartWith(`mine.jsonl:${line}: `)
      expect(lines[i]!).toMatch(reason)
    }
  })

  test("shows a dozen of many bad lines, and says how many more there are", async () => {
    const lines = (await refused(...Array.from({ length: 40 }, () => "[1]"))).split("\n")
    expect(lines).toHaveLength(1 + 12 + 1)
    expect(lines.at(-1)).toContain("28 more")
  })

  test("refuses a file without items", async () => {
    expect(await refused("", "")).toContain("holds no items")
  })
})

describe("selectItems()", () => {
  const suite = {
    name: "mine",
    hash: "",
    items: ["a", "b", "a", "a", "b"].map((family, i) => ({ family, line: i + 1, text: "x" })),
  }
  const lines = (selection: Parameters<typeof selectItems>[1]): number[] =>
    selectItems(suite, selection).map(({ line }) => line)

  test("takes the first items of each family, or of chosen ones", () => {
    expect(lines({})).toEqual([1, 2, 3, 4, 5])
    expect(lines({ limit: 1 })).toEqual([1, 2])
    expect(lines({ families: ["a"], limit: 2 })).toEqual([1, 3])
    expect(lines({ families: ["b"] })).toEqual([2, 5])
  })

  test("refuses a family that is not there, naming those that are, and a limit that leaves nothing", () => {
    expect(() => lines({ families: ["a", "c"] })).toThrow("mine has no family c")
    expect(() => lines({ limit: 0 })).toThrow(RangeError)
    expect(() => lines({ limit: Number.NaN })).toThrow(RangeError)
  })
})
