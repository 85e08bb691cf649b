/**
 * @module Stems are those that FTS5 finds words by.
 */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { rng } from "../../../src/core/rng.ts"
import { stem } from "../../../src/rag/stem.ts"

/** What FTS5 keeps of words. */
function ofSqlite(words: readonly string[]): string[] {
  const database = new Database(":memory:")
  database.run("CREATE VIRTUAL TABLE t USING fts5(word, tokenize='porter unicode61')")
  database.run("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
  const insert = database.prepare("INSERT INTO t (rowid, word) VALUES (?, ?)")
  database.transaction(() => words.forEach((word, i) => insert.run(i, word)))()
  const rows = database.prepare("SELECT doc, term FROM v").all() as { doc: number; term: string }[]
  const stems: string[] = []
  for (const { doc, term } of rows) stems[doc] = term
  database.close()
  return stems
}

const endings = (
  "s es ies sses ss ed eed ing y ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness " +
  "fulness ousness aliti iviti biliti logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment " +
  "ent ion sion tion ou ism ate iti ous ive ize e ll ly ying eding"
).split(" ")

test("stems are those of SQLite's porter tokenizer", () => {
  const random = rng(1, "stems")
  const letters = [..."abcdefghijklmnopqrstuvwxyzaeiouyaeiouy"]
  const words = Array.from({ length: 20_000 }, () => {
    const start = Array.from({ length: 1 + random.below(5) }, () => random.pick(letters)).join("")
    return start + Array.from({ length: random.below(3) }, () => random.pick(endings)).join("")
  })
  words.push(
    ..."rivers running hopping hoping flies dies agreed feed sky happy generalizations oscillators bakery 2024s".split(
      " ",
    ),
  )
  const wanted = ofSqlite(words)
  const wrong = words.flatMap((word, i) =>
    stem(word) === wanted[i] ? [] : [`${word}: ${stem(word)}, not ${wanted[i]}`],
  )
  expect(wrong.slice(0, 20)).toEqual([])
})

test("words of one stem are found by each other", () => {
  expect(["river", "rivers"].map(stem)).toEqual(["river", "river"])
  expect(["connect", "connected", "connecting", "connection", "connections"].map(stem)).toEqual(
    Array(5).fill("connect"),
  )
  expect(stem("äs")).toBe("äs")
})
