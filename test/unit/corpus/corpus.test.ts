import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { corpusStream, families, suiteItems } from "../../../scripts/corpus/corpus.ts"
import type { CorpusDocument, Split } from "../../../scripts/corpus/document.ts"
import { alike, cutNames, inventedStems, person, splitOf, town } from "../../../scripts/corpus/names.ts"
import { UNKNOWN } from "../../../scripts/corpus/reading.ts"
import { styles } from "../../../scripts/corpus/rewriting.ts"
import { rng } from "../../../src/core/rng.ts"

function take(count: number, seed: number, split: Split): CorpusDocument[] {
  const found: CorpusDocument[] = []
  for (const document of corpusStream(seed, split)) {
    found.push(document)
    if (found.length === count) break
  }
  return found
}

/** Every question with its answer. */
function turnsOf(document: CorpusDocument): { prompt: string; answer: string }[] {
  if ("text" in document) return []
  const said = document.messages.filter(({ role }) => role !== "system").map(({ content }) => content)
  return said.flatMap((content, i) => (i % 2 === 0 ? [{ prompt: content, answer: said[i + 1]! }] : []))
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
  expect(digest).toBe("eb3e795227f34b5521fdbaa61eb5e2ce636661cec5a95d832a63d82446f32a15")
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
  const train = words("train", 24_000)
  const heldout = [...words("heldout", 3000)].filter((word) => !word.includes("|"))
  expect(heldout.length).toBeGreaterThan(300)
  expect(heldout.filter((word) => !train.has(word))).toEqual([])
}, 60_000)

test("no pair of numbers that is summed in one split is summed in the other", () => {
  const pairs = (split: Split): Set<string> =>
    new Set(
      take(6000, 6, split)
        .filter(({ kind }) => kind === "sum")
        .flatMap(turnsOf)
        .map(({ prompt }) => prompt.match(/\d+/g)!.join("+")),
    )
  const train = pairs("train")
  const heldout = pairs("heldout")
  expect(Math.min(train.size, heldout.size)).toBeGreaterThan(100)
  expect([...heldout].filter((pair) => train.has(pair))).toEqual([])
}, 60_000)

test("documents are short and clean, and turns of user and assistant follow each other", () => {
  for (const document of take(5000, 2, "train")) {
    const text = textOf(document)
    expect(text.length).toBeGreaterThan(3)
    expect(text.length).toBeLessThan(1200)
    expect(text).not.toMatch(/undefined|null|NaN|\[object|\s$|^\s| {2}/)
    if ("messages" in document) {
      const roles = document.messages.map(({ role }) => role)
      if (roles[0] === "system") roles.shift()
      expect(roles).toEqual(roles.map((_, i) => (i % 2 === 0 ? "user" : "assistant")))
      expect(roles.length % 2).toBe(0)
    }
  }
})

test("held-out documents ask one thing, and hold no number of training where things are counted", () => {
  for (const split of ["train", "heldout"] as const) {
    for (const document of take(3000, 9, split)) {
      if (document.kind === "dialogue" || document.kind === "form") continue
      if (split === "heldout" && "messages" in document) expect(turnsOf(document).length).toBe(1)
      if (document.kind === "sum") continue
      const counts = textOf(document).match(/\b\d{1,2}(?= [a-z])/g) ?? []
      expect(counts.filter((number) => splitOf(`count ${number}`) !== split)).toEqual([])
    }
  }
})

test("a name is cut where its syllables meet, and nothing else is", () => {
  expect(cutNames(" Valtiskor bought 3 bells in Zenbikburg. Make no cut here.", "|")).toBe(
    " Val|tis|kor bought 3 bells in Zen|bik|burg. Make no cut here.",
  )
})

test("families come as often as their weights say", () => {
  const count = 6000
  const total = families.reduce((sum, { weight }) => sum + weight, 0)
  const seen = new Map<string, number>()
  for (const { kind } of take(count, 3, "heldout")) seen.set(kind, (seen.get(kind) ?? 0) + 1)
  const common = families.filter(({ weight }) => weight > 0)
  expect([...seen.keys()].sort()).toEqual(common.map(({ name }) => name).sort())
  for (const { name, weight } of common) {
    // Six standard deviations of a binomial count.
    const share = weight / total
    const slack = 6 * Math.sqrt((share * (1 - share)) / count)
    expect(Math.abs(seen.get(name)! / count - share)).toBeLessThan(slack)
  }
})

test("of names that are alike, all but one syllable are the same, and the split is kept", () => {
  const draw = { random: rng(4, "alike"), split: "train" as const }
  for (let i = 0; i < 200; i++) {
    const name = i % 2 === 0 ? person(draw) : town(draw)
    const other = alike(draw, name)
    expect(other).toHaveLength(name.length)
    expect(inventedStems(other).map(splitOf)).toEqual(["train"])
    const differing = Array.from({ length: name.length }, (_, at) => at).filter((at) => name[at] !== other[at])
    expect(differing.length).toBeGreaterThan(0)
    expect(new Set(differing.map((at) => Math.floor(at / 3))).size).toBe(1)
  }
})

test("questions about likenesses are answered by the passage or left open, and each subject is asked for by name", () => {
  const family = families.find(({ name }) => name === "likenesses")!
  const draw = { random: rng(4, "likenesses"), split: "train" as const }
  const answers: string[] = []
  for (let i = 0; i < 100; i++) {
    const document = family.make(draw)
    if (!("messages" in document)) throw new Error("expected a conversation")
    const passage = document.messages[0]!.content
    for (const [at, { role, content }] of document.messages.entries()) {
      if (role !== "assistant") continue
      answers.push(content)
      if (content !== UNKNOWN) expect(passage).toContain(content)
      expect(inventedStems(document.messages[at - 1]!.content).length).toBeGreaterThan(0)
    }
  }
  const open = answers.filter((answer) => answer === UNKNOWN).length / answers.length
  expect(open).toBeGreaterThan(0.2)
  expect(open).toBeLessThan(0.5)
})

const lines = (answer: string): string[] => answer.split("\n")
const holds =
  (values: (answer: string) => readonly string[]) =>
  (prompt: string, answer: string): boolean =>
    values(answer).length > 0 && values(answer).every((value) => prompt.includes(value))

/** Whether a turn's answer is what it must be, worked out from its prompt, and from all that was said. */
const recomputed: Readonly<Record<string, (prompt: string, answer: string, all: string) => boolean>> = {
  sum: (prompt, answer) => {
    const [a, b] = prompt.match(/\d+/g)!.map(Number)
    return a! + b! === Number(answer)
  },
  comparison: (prompt, answer) => {
    const [a, b] = prompt.match(/\d+/g)!.map(Number) as [number, number]
    const names = inventedStems(prompt)
    const first = a > b === /larger|more/.test(prompt)
    return answer === (names.length === 0 ? String(first ? a : b) : names[first ? 0 : 1])
  },
  reversal: (prompt, answer) => prompt.endsWith(answer.split(" ").reverse().join(" ")),
  copy: (prompt, answer) => prompt.endsWith(answer),
  case: (prompt, answer) =>
    /upper|capital/i.test(prompt) ? prompt.includes(answer.toLowerCase()) : prompt.includes(answer.toUpperCase()),
  extraction: holds((answer) => lines(answer).map((line) => line.split(": ")[1]!)),
  json: holds((answer) => Object.values(JSON.parse(answer) as Record<string, string | number>).map(String)),
  list: holds((answer) => lines(answer).map((line) => line.slice(2))),
  format: holds((answer) => answer.match(/[a-z]+/g)!),
  quote: holds((answer) => [answer.slice(1, -1)]),
  summary: holds((answer) => {
    const [, name, job, home, count, item] = /^(\w+), an? (\w+) from (\w+), has (\d+) (\w+)\.$/.exec(answer)!
    return [name!, job!, home!, `${count} ${item}`]
  }),
  style: (prompt, answer) => {
    const [how] = Object.keys(styles).filter((style) => prompt.includes(style))
    return prompt
      .split(/(?<=[.:?!-]) /)
      .some((_, i, parts) => parts.some((_, j) => styles[how!]!(parts.slice(i, j + 1).join(" ")) === answer))
  },
  "yes-no": (prompt, answer, all) => {
    const question = /[^.]*[?.]$/.exec(prompt)![0]
    const [owner] = inventedStems(question)
    const [, thing] = /(?:\ban?|own one) ([a-z]+)/i.exec(question)!
    // What was said of the owner comes before the first question, if that is about the same one.
    const said = all.match(/[^.]+\./g)!.find((text) => text.includes(owner!))!
    return (answer === "yes") === new RegExp(`\\b${thing}\\b`).test(said)
  },
  "reading-1": (_, answer, all) => answer === "I don't know." || all.includes(answer),
  "reading-2": (_, answer, all) => answer === "I don't know." || all.includes(answer),
  "reading-3": (_, answer, all) => answer === "I don't know." || all.includes(answer),
  "reading-4": (_, answer, all) => answer === "I don't know." || all.includes(answer),
  "unknown-alone": (_, answer) => answer === "I don't know.",
  sentiment: (_, answer) => ["positive", "negative"].includes(answer),
}

test("drills that teach to copy and to bind come first and most", () => {
  const drills = ["induction", "copy", "gap", "restated", "asked"]
  expect(take(300, 3, "train").filter(({ kind }) => drills.includes(kind)).length).toBeGreaterThan(180)
})

test("answers are right where they can be worked out again, in both splits", () => {
  const checked = new Map<string, number>()
  for (const split of ["train", "heldout"] as const) {
    for (const document of take(6000, 4, split)) {
      const right = recomputed[document.kind]
      if (right === undefined || !("messages" in document)) continue
      const all = document.messages[0]!.content
      for (const { prompt, answer } of turnsOf(document)) {
        expect({ prompt, answer, right: right(prompt, answer, all) }).toEqual({ prompt, answer, right: true })
        checked.set(document.kind, (checked.get(document.kind) ?? 0) + 1)
      }
    }
  }
  expect([...checked.keys()].sort()).toEqual(Object.keys(recomputed).sort())
}, 60_000)

test("the first question of a held-out unknown is left open, that of a held-out reading is answered", () => {
  for (const document of take(6000, 12, "heldout")) {
    const [turn] = turnsOf(document)
    if (document.kind === "unknown") expect(turn!.answer).toBe("I don't know.")
    if (document.kind.startsWith("reading")) expect(turn!.answer).not.toBe("I don't know.")
  }
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
