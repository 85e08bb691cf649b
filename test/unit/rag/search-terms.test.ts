import { expect, test } from "bun:test"
import { searchTerms } from "../../../src/rag/search-terms.ts"

test("the words that tell, in small letters and without accents", () => {
  expect(searchTerms("Where does Zoë Márquez live?")).toEqual(["zoe", "marquez", "live"])
})

test("a possessive is its owner", () => {
  expect(searchTerms("What is Mira's trade? And Otto’s?")).toEqual(["mira", "trade", "otto"])
})

test("what search engines would read as a command is text", () => {
  expect(searchTerms('NEAR("a" b) AND title:* OR -c')).toEqual(["near", "b", "title", "c"])
})

test("a question of nothing but small words asks for those", () => {
  expect(searchTerms("Who is it?")).toEqual(["who", "is", "it"])
  expect(searchTerms("?!")).toEqual([])
})
