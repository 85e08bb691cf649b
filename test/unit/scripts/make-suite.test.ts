import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { suiteFile } from "../../../scripts/make-suite.ts"
import { readSuite, type SuiteItem } from "../../../src/eval/suite.ts"
import { sprigFolder } from "../../support/sprig.ts"

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What is asked of whom, as one text. */
const contentOf = (item: SuiteItem): string => JSON.stringify([item.family, "text" in item ? item.text : item.messages])

test("suiteFile() makes a suite of different items, the same one each time, and another one of another seed", async () => {
  const options = { seed: 3, items: 5, texts: 4 }
  const text = suiteFile(options)
  expect(suiteFile(options)).toBe(text)
  expect(suiteFile({ ...options, seed: 4 })).not.toBe(text)
  const { items } = await readSuite("made", encode(text))
  expect(new Set(items.map(contentOf)).size).toBe(items.length)
  for (const { family } of items) {
    const count = items.filter((item) => item.family === family).length
    expect([family, count]).toEqual([family, family === "text" ? 4 : 5])
  }
})

test("suiteFile() makes questions alone, or texts alone", async () => {
  const texts = await readSuite("made", encode(suiteFile({ seed: 3, items: 0, texts: 2 })))
  expect(texts.items.map((item) => "text" in item)).toEqual([true, true])
  const questions = await readSuite("made", encode(suiteFile({ seed: 3, items: 1, texts: 0 })))
  expect(questions.items.some((item) => "text" in item)).toBe(false)
})

test("the bundled suite can be read, asks what can't be answered too, and no item comes twice", async () => {
  const { items } = await readSuite("sprig", new Uint8Array(readFileSync(join(sprigFolder, "suite.jsonl"))))
  expect(items.some((item) => "text" in item)).toBe(true)
  expect(items.some(({ family }) => family.startsWith("unknown"))).toBe(true)
  expect(new Set(items.map(contentOf)).size).toBe(items.length)
})
