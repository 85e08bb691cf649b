import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { drawers, kindOf } from "../../../scripts/corpus/forms.ts"
import { cutNames, inventedStems, splitOf } from "../../../scripts/corpus/names.ts"
import type { ExampleRow, ExampleSet } from "../../../scripts/examples/example-set.ts"
import { exampleFile, exampleRows, exampleSets } from "../../../scripts/make-examples.ts"

/** What a model is given, and what it must answer. */
function parts(row: ExampleRow): { prompt: string; answer: string } {
  if ("messages" in row) {
    const turns = (row.messages as { content: string }[]).map(({ content }) => content)
    return { prompt: turns.slice(0, -1).join("\n"), answer: turns.at(-1)! }
  }
  if ("prompt" in row) return { prompt: row.prompt as string, answer: row.completion as string }
  return { prompt: `${row.instruction}\n${row.input}`, answer: row.output as string }
}

const rowsOf = (name: string): { prompt: string; answer: string }[] => {
  const set = exampleSets.find((candidate) => candidate.name === name) as ExampleSet
  return [...exampleRows(set, "train"), ...exampleRows(set, "heldout")].map(parts)
}

for (const set of exampleSets) {
  test(`${set.name}: the committed files are what the program writes`, () => {
    for (const split of ["train", "heldout"] as const) {
      const file = new URL(`../../../examples/data/${set.name}.${split}.jsonl`, import.meta.url)
      expect(readFileSync(file, "utf8")).toBe(exampleFile(set, split))
    }
  })

  test(`${set.name}: a prompt has one right answer, and no name or number of one split stands in the other`, () => {
    const answers = new Map<string, string>()
    for (const split of ["train", "heldout"] as const) {
      for (const row of exampleRows(set, split)) {
        const { prompt, answer } = parts(row)
        expect(answers.get(prompt) ?? answer).toBe(answer)
        answers.set(prompt, answer)
        expect(answer.trim()).toBe(answer)
        expect(inventedStems(prompt).filter((name) => splitOf(name) !== split)).toEqual([])
        const numbers = prompt.match(/\b\d{1,2}(?= (?!noted)[a-z])/g) ?? []
        expect(numbers.filter((number) => splitOf(`count ${number}`) !== split)).toEqual([])
      }
    }
  })
}

test("the splits share no template: held-out sentences, without their values, are new", () => {
  const shape = (prompt: string): string =>
    cutNames(prompt, "|")
      .replace(/\w+(?:\|\w+)+/g, "N")
      .replace(/\d+ \w+/g, "V")
  const set = exampleSets.find(({ name }) => name === "json-report") as ExampleSet
  const [train, heldout] = (["train", "heldout"] as const).map(
    (split) => new Set(exampleRows(set, split).map((row) => shape(parts(row).prompt))),
  ) as [Set<string>, Set<string>]
  expect(train.size).toBeGreaterThan(100)
  expect(heldout.size).toBeGreaterThan(20)
  expect([...heldout].filter((text) => train.has(text))).toEqual([])
})

test("json-report: the answer is an object whose every value stands in the sentence", () => {
  for (const { prompt, answer } of rowsOf("json-report")) {
    const value = JSON.parse(answer) as Record<string, string | number>
    expect(Object.keys(value)).toEqual(["name", "item", "count", "place"])
    expect(typeof value.count).toBe("number")
    for (const part of Object.values(value)) expect(prompt).toContain(String(part))
  }
})

test("answer-card: two lines, the answer that the corpus teaches and its kind; no held-out question is a training one", () => {
  const set = exampleSets.find(({ name }) => name === "answer-card") as ExampleSet
  const asked = new Set(exampleRows(set, "train").map((row) => parts(row).prompt))
  for (const row of exampleRows(set, "heldout")) expect(asked.has(parts(row).prompt)).toBe(false)
  for (const { answer } of rowsOf("answer-card")) {
    const [, word, kind] = /^- answer: (\w+)\n- kind: ([\w ]+)$/.exec(answer) ?? []
    expect(kindOf(word!)).toBe(kind!)
  }
})

test("style-pirate: the answer says what the sentence says", () => {
  for (const { prompt, answer } of rowsOf("style-pirate")) {
    expect(answer).toBe(`Arr! ${prompt.replace(/\.$/, "")}, matey!`)
  }
})

test("labels-desk: a label for each of the four drawers comes", () => {
  const answers = new Set(rowsOf("labels-desk").map(({ answer }) => answer))
  expect([...answers].sort()).toEqual(drawers.map((drawer) => `${drawer} drawer`).sort())
})

test("turns-order: every order that was given is read back, in order", () => {
  for (const { prompt, answer } of rowsOf("turns-order")) {
    const orders = answer.split("\n")
    const turns = prompt.split("\n").filter((turn) => !/noted|orders/.test(turn))
    expect(orders.length).toBe(turns.length)
    for (const [i, order] of orders.entries()) {
      const [, name, goods] = order.match(/^- (\w+): (\d+ \w+)$/)!
      expect(turns[i]).toContain(goods!)
      expect(turns[i]).toContain(name!)
    }
  }
})
