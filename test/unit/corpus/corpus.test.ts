import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { corpusStream, families, suiteItems } from "../../../scripts/corpus/corpus.ts"
import type { CorpusDocument, Split } from "../../../scripts/corpus/document.ts"
import { cutNames, inventedStems, splitOf } from "../../../scripts/corpus/names.ts"

function take(count: number, seed: number, split: Split): CorpusDocument[] {
  const found: CorpusDocument[] = []
  for (const document of corpusStream(seed, split)) {
    found.push(document)
    if (found.length === count) break
  }
  return found
}

const textOf = (document: CorpusDocument): string =>
  "text" in document ? document.text : document.messages.map(({ content }) => content).join("\n")

test("the same seed gives the same documents, another seed others", () => {
  const first = take(300, 7, "train")
  expect(take(300, 7, "train")).toEqual(first)
  expect(take(300, 8, "train")).not.toEqual(first)
})

test("the documents are the ones that this version writes on every machine", () => {
  const digest = createHash("sha256")
    .update(JSON.stringify(take(2000, 1, "train")))
    .digest("hex")
  expect(digest).toBe("0c1ffc8931453de0eaa18b8a1766e83d1286fd7f8bc257865b232b0cf51bc1b0")
})

test("no invented name of one split stands in the other", () => {
  for (const split of ["train", "heldout"] as const) {
    const names = take(3000, 1, split).flatMap((document) => inventedStems(textOf(document)))
    expect(names.length).toBeGreaterThan(1000)
    expect([...new Set(names.filter((name) => splitOf(name) !== split))]).toEqual([])
  }
})

test("no prompt of one split comes in the other, where it asks about something invented", () => {
  const prompts = (split: Split): string[] =>
    take(4000, 1, split)
      .map(textOf)
      .filter((text) => inventedStems(text).length > 0)
  const train = new Set(prompts("train"))
  const heldout = prompts("heldout")
  expect(heldout.length).toBeGreaterThan(1000)
  expect(heldout.filter((prompt) => train.has(prompt))).toEqual([])
})

test("held-out templates are made of words that training has", () => {
  const words = (split: Split, count: number): Set<string> =>
    new Set(
      take(count, 11, split).flatMap((document) =>
        // Letter case is a skill of its own: there, words in capitals are the answers.
        document.kind === "case" ? [] : (cutNames(textOf(document), "|").match(/[A-Za-z'|]+/g) ?? []),
      ),
    )
  const train = words("train", 20_000)
  const heldout = [...words("heldout", 5000)].filter((word) => !word.includes("|"))
  expect(heldout.length).toBeGreaterThan(300)
  expect(heldout.filter((word) => !train.has(word))).toEqual([])
})

test("no pair of numbers that is summed in one split is summed in the other", () => {
  const pairs = (split: Split): Set<string> =>
    new Set(
      take(20_000, 6, split)
        .filter(({ kind }) => kind === "sum")
        .map((document) => textOf(document).split("\n")[0]!.match(/\d+/g)!.join("+")),
    )
  const train = pairs("train")
  const heldout = pairs("heldout")
  expect(Math.min(train.size, heldout.size)).toBeGreaterThan(100)
  expect([...heldout].filter((pair) => train.has(pair))).toEqual([])
})

test("documents are short, in one turn each of user and assistant, and never written as JSON", () => {
  for (const document of take(3000, 2, "train")) {
    const text = textOf(document)
    expect(text.length).toBeGreaterThan(3)
    expect(text.length).toBeLessThan(700)
    expect(text).not.toMatch(/[{}]|undefined|null|NaN|\s$|^\s| {2}/)
    if ("messages" in document) {
      expect(document.messages.map(({ role }) => role)).toEqual(
        document.messages.map((_, i) => (i % 2 === 0 ? "user" : "assistant")),
      )
    }
  }
})

test("a name is cut where its syllables meet, and nothing else is", () => {
  expect(cutNames(" Bakomi bought 3 bells in Zebuburg. Make no cut here.", "|")).toBe(
    " Ba|ko|mi bought 3 bells in Ze|bu|burg. Make no cut here.",
  )
})

test("families come as often as their weights say", () => {
  const count = 6000
  const total = families.reduce((sum, { weight }) => sum + weight, 0)
  const seen = new Map<string, number>()
  for (const { kind } of take(count, 3, "heldout")) seen.set(kind, (seen.get(kind) ?? 0) + 1)
  expect([...seen.keys()].sort()).toEqual(families.map(({ name }) => name).sort())
  for (const { name, weight } of families) {
    // Six standard deviations of a binomial count.
    const share = weight / total
    const slack = 6 * Math.sqrt((share * (1 - share)) / count)
    expect(Math.abs(seen.get(name)! / count - share)).toBeLessThan(slack)
  }
})

/** What a held-out item's answer must be, worked out from its prompt alone. */
const recomputed: Readonly<Record<string, (prompt: string, answer: string) => boolean>> = {
  sum: (prompt, answer) => {
    const [a, b] = prompt.match(/\d+/g)!.map(Number)
    return a! + b! === Number(answer)
  },
  reversal: (prompt, answer) => prompt.endsWith(answer.split(" ").reverse().join(" ")),
  copy: (prompt, answer) => prompt.endsWith(answer),
  case: (prompt, answer) =>
    /upper|capital/i.test(prompt) ? prompt.includes(answer.toLowerCase()) : prompt.includes(answer.toUpperCase()),
  extraction: (prompt, answer) => answer.split("\n").every((line) => prompt.includes(line.split(": ")[1]!)),
  list: (prompt, answer) => answer.split("\n").every((line) => prompt.includes(line.slice(2))),
  quote: (prompt, answer) => prompt.includes(answer.slice(1, -1)),
  reading: (prompt, answer) => prompt.includes(answer),
  unknown: (_, answer) => answer === "I don't know.",
  sentiment: (_, answer) => ["positive", "negative"].includes(answer),
  "yes-no": (_, answer) => ["yes", "no"].includes(answer),
}

test("drills that teach to copy come first and most", () => {
  const drills = take(300, 3, "train").filter(({ kind }) => kind === "induction" || kind === "copy").length
  expect(drills).toBeGreaterThan(150)
})

test("answers are right where they can be worked out again, in both splits", () => {
  const checked = new Map<string, number>()
  for (const split of ["train", "heldout"] as const) {
    for (const document of take(4000, 4, split)) {
      const right = recomputed[document.kind]
      if (right === undefined || !("messages" in document)) continue
      const [prompt, answer] = document.messages.map(({ content }) => content) as [string, string]
      expect({ prompt, answer, right: right(prompt, answer) }).toEqual({ prompt, answer, right: true })
      checked.set(document.kind, (checked.get(document.kind) ?? 0) + 1)
    }
  }
  expect([...checked.keys()].sort()).toEqual(Object.keys(recomputed).sort())
})

test("the suite has as many items of each scored family as asked for, the same ones each time", () => {
  const items = suiteItems(5, 4)
  expect(suiteItems(5, 4)).toEqual(items)
  const scored = families.filter((family) => family.scored).map(({ name }) => name)
  expect(items.map(({ family }) => family)).toEqual(scored.flatMap((name) => [name, name, name, name]))
  for (const { messages, answer } of items) {
    expect(messages.at(-1)!.role).toBe("user")
    expect(answer.trim()).toBe(answer)
    expect(answer).not.toBe("")
  }
})
