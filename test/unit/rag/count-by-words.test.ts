/**
 * @module Counting by words gives what counting whole texts does.
 */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { rng } from "../../../src/core/rng.ts"
import { openBaseTokenizer } from "../../../src/presets/open-base.ts"
import { countByWords } from "../../../src/rag/count-by-words.ts"
import { root } from "../../support/source-tree.ts"

test("sprig's tokens are counted by words, and each word once", async () => {
  const tokenizer = (await openBaseTokenizer(join(root, "models", "sprig")))!
  let asked = 0
  const exact = (text: string): number => tokenizer.encode(text, { parseSpecial: false }).length
  const count = countByWords((text) => {
    asked++
    return exact(text)
  })
  const before = asked
  expect([count("one two one two"), count(" one two")]).toEqual([exact("one two one two"), exact(" one two")])
  expect(asked - before).toBe(3)
  const texts = ["README.md", "docs/retrieval.md", "docs/log.md", "package.json"].map((file) =>
    readFileSync(join(root, file), "utf8"),
  )
  const random = rng(1, "count by words")
  const parts = [
    " ",
    "  ",
    "\n",
    "\t",
    "\u00a0",
    "a",
    "Mira",
    "'s",
    ".",
    "...",
    "12",
    "-",
    "é",
    "東京",
    "😀",
    "\u0301",
    "\u200d",
  ]
  for (let i = 0; i < 500; i++) texts.push(Array.from({ length: 12 }, () => random.pick(parts)).join(""))
  for (const text of texts) expect({ text, tokens: count(text) }).toEqual({ text, tokens: exact(text) })
})

test("where words can't be counted apart, whole texts are", () => {
  const count = (text: string): number => text.split(/\s+/).length
  expect(countByWords(count)).toBe(count)
  const withMark = (text: string): number => 1 + text.length
  expect(countByWords(withMark)).toBe(withMark)
})
