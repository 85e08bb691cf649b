/**
 * @module Conditions on metadata: what they mean, and that SQL means the same by them.
 */
import { Database } from "bun:sqlite"
import { describe, expect, test } from "bun:test"
import { type Rng, rng } from "../../../src/core/rng.ts"
import { both, equalTo, type Filter, matches } from "../../../src/rag/filter.ts"
import { filterSql } from "../../../src/rag/filter-sql.ts"
import type { MetadataValue } from "../../../src/rag/retriever.ts"

describe("a filter", () => {
  test("compares values of one kind, and nothing equals what is not there", () => {
    const metadata = { year: 2024, town: "Tal", wet: true }
    const meant = (filter: Filter): boolean => matches(filter, metadata)
    expect(meant({ type: "eq", key: "year", value: 2024 })).toBe(true)
    expect(meant({ type: "eq", key: "year", value: "2024" })).toBe(false)
    expect(meant({ type: "ne", key: "absent", value: 1 })).toBe(true)
    expect(meant({ type: "gt", key: "year", value: 2023 })).toBe(true)
    expect(meant({ type: "gte", key: "year", value: 2024 })).toBe(true)
    expect(meant({ type: "lt", key: "town", value: "Tam" })).toBe(true)
    expect(meant({ type: "lte", key: "town", value: 3 })).toBe(false)
    expect(meant({ type: "gt", key: "wet", value: 0 })).toBe(false)
    expect(meant({ type: "in", key: "town", value: ["Ost", "Tal"] })).toBe(true)
    expect(meant({ type: "nin", key: "absent", value: ["Ost"] })).toBe(true)
    expect(meant({ type: "eq", key: "toString", value: "x" })).toBe(false)
    const old: Filter = { type: "lt", key: "year", value: 2000 }
    expect(meant({ type: "or", filters: [old, { type: "eq", key: "wet", value: true }] })).toBe(true)
    expect(meant({ type: "and", filters: [old, { type: "eq", key: "wet", value: true }] })).toBe(false)
  })

  test("of no values is none", () => {
    expect(equalTo({})).toBeUndefined()
    const one: Filter = { type: "eq", key: "a", value: 1 }
    expect([both(undefined, one), both(one, undefined), both(undefined, undefined)]).toEqual([one, one, undefined])
  })
})

test("SQL lets through what the filter does", () => {
  const random = rng(1, "filters")
  const keys = ["a", 'q"uote', "b.c", "ключ", "back\\slash", "[0]", "tab\t", "'"]
  const values: readonly MetadataValue[] = [
    ...[
      0,
      1,
      -1,
      1.5,
      1e21,
      2 ** 53,
      true,
      false,
      "",
      "1",
      "true",
      "a",
      "b",
      'say "x"',
      "é",
      "\u{1F600}",
      "\uFFFD",
      "\n",
    ],
  ]
  const documents = Array.from({ length: 80 }, () =>
    Object.fromEntries(Array.from({ length: random.below(6) }, () => [random.pick(keys), random.pick(values)])),
  )
  const database = new Database(":memory:")
  database.run("CREATE TABLE documents (number INTEGER, metadata TEXT)")
  for (const [i, each] of documents.entries())
    database.prepare("INSERT INTO documents VALUES (?, ?)").run(i, JSON.stringify(each))
  for (let i = 0; i < 1500; i++) {
    const filter = randomFilter(random, keys, values, 3)
    const { sql, values: given } = filterSql(filter)
    const rows = database.prepare(`SELECT number FROM documents WHERE ${sql} ORDER BY number`).all(...given)
    const wanted = documents.flatMap((each, number) => (matches(filter, each) ? [{ number }] : []))
    expect({ filter, rows }).toEqual({ filter, rows: wanted })
  }
  database.close()
})

function randomFilter(random: Rng, keys: readonly string[], values: readonly MetadataValue[], depth: number): Filter {
  const key = random.pick(keys)
  const ordered = values.filter((value) => typeof value !== "boolean")
  const kind = random.below(depth > 0 ? 5 : 3)
  if (kind === 0) return { type: random.pick(["eq", "ne"]), key, value: random.pick(values) }
  if (kind === 1) return { type: random.pick(["gt", "gte", "lt", "lte"]), key, value: random.pick(ordered) }
  if (kind === 2)
    return {
      type: random.pick(["in", "nin"]),
      key,
      value: Array.from({ length: random.below(4) }, () => random.pick(values)),
    }
  return {
    type: random.pick(["and", "or"]),
    filters: Array.from({ length: random.below(4) }, () => randomFilter(random, keys, values, depth - 1)),
  }
}
