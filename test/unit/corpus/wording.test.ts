import { expect, test } from "bun:test"
import type { Draw, Split } from "../../../scripts/corpus/document.ts"
import { peopleRelations } from "../../../scripts/corpus/people.ts"
import { statement } from "../../../scripts/corpus/statements.ts"
import { townRelations } from "../../../scripts/corpus/towns.ts"
import { asked, barePlace, composed, composedIndex, task } from "../../../scripts/corpus/wording.ts"
import { rng } from "../../../src/core/rng.ts"

const draw = (split: Split, seed = 1): Draw => ({ random: rng(seed, split), split })
const many = (split: Split, make: (d: Draw) => string, count = 4000): Set<string> => {
  const d = draw(split)
  return new Set(Array.from({ length: count }, () => make(d)))
}
const overlap = (make: (d: Draw) => string, count?: number): string[] => {
  const train = many("train", make, count)
  return [...many("heldout", make, count)].filter((text) => train.has(text))
}

const letters = [..."abcdefgh"]

test("a combination is of one split for good, and each part is in both", () => {
  const make = (d: Draw): string => composed(d, "key", letters, letters, letters).join("")
  expect(overlap(make)).toEqual([])
  for (const split of ["train", "heldout"] as const)
    for (let place = 0; place < 3; place++)
      expect(new Set([...many(split, make)].map((text) => text[place]))).toEqual(new Set(letters))
})

test("combinations of another key are split otherwise", () => {
  const held = (key: string): Set<string> => many("heldout", (d) => composed(d, key, letters, letters).join(""))
  expect(held("one")).not.toEqual(held("other"))
})

test("about one combination in eight is held out", () => {
  const held = many("heldout", (d) => composed(d, "key", letters, letters, letters).join(""))
  expect(held.size).toBeGreaterThan(35)
  expect(held.size).toBeLessThan(95)
})

test("lists without a combination of the split are refused by name, and nothing hangs", () => {
  const one = ["train", "heldout"].map((split) => () => composed(draw(split as Split), "lonely", ["only"]))
  expect(one.filter((make) => attempt(make) !== null).map((make) => attempt(make))).toEqual([
    expect.stringContaining('No combination of "lonely"'),
  ])
})

function attempt(make: () => unknown): string | null {
  try {
    make()
    return null
  } catch (error) {
    return String(error)
  }
}

test("what is said and asked of a subject is of one split, in whatever wording", () => {
  for (const relation of [...peopleRelations, ...townRelations]) {
    const masked =
      (part: "sentence" | "question") =>
      (d: Draw): string => {
        const said = statement(d, relation, "Subject")
        return said[part].replaceAll(said.answer, "VALUE")
      }
    expect({ relation: relation.name, both: overlap(masked("sentence"), 500) }).toEqual({
      relation: relation.name,
      both: [],
    })
    expect({ relation: relation.name, both: overlap(masked("question"), 500) }).toEqual({
      relation: relation.name,
      both: [],
    })
  }
})

test("a place in a list with a frame is of one split, and so is one without", () => {
  expect(overlap((d) => composedIndex(d, "key", 8, ["", "They say:", "Look:"]).join("|"))).toEqual([])
  expect(overlap((d) => String(barePlace(d, "key", 30)))).toEqual([])
})

test("a task has its command and its material, in wordings that are of one split", () => {
  const make = (d: Draw): string => task(d, "sort", ["sort _", "order _"], "b a", (text) => text.replace("_", "words"))
  for (const text of many("train", make)) expect(text).toMatch(/[Ss]ort words|[Oo]rder words/)
  for (const text of many("train", make)) expect(text).toContain("b a")
  expect(overlap(make)).toEqual([])
})

test("what is asked of words ends with them", () => {
  const make = (d: Draw): string => asked(d, "shout", ["shout"], "a b")
  for (const text of many("heldout", make)) expect(text.endsWith("a b")).toBe(true)
  expect(overlap(make)).toEqual([])
})
