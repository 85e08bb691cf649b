import { expect, test } from "bun:test"
import { plainRouter, readProfile } from "../../../src/answering/profile.ts"
import { readQuestions } from "../../../src/answering/questions.ts"
import { plainReading } from "../../../src/answering/reading.ts"

const write = (change: object) => JSON.stringify({ reading: { ...plainReading, ...change } })

test("a profile is read, and what it leaves out is the plain one's", () => {
  expect(readProfile(write({ passages: 2 }), "p")).toEqual({
    reading: { ...plainReading, passages: 2 },
    router: plainRouter,
  })
  expect(readProfile(JSON.stringify({ router: plainRouter }), "p").reading).toEqual(plainReading)
})

test("a wrong profile is refused by the field", () => {
  expect(() => readProfile("{", "p.json")).toThrow("p.json is not valid JSON")
  expect(() => readProfile(write({ passages: 0 }), "p.json")).toThrow("p.json: reading.passages")
  expect(() => readProfile(write({ prompt: "{passages}" }), "p.json")).toThrow(
    "reading.prompt: Expected {passages} and {question} once each",
  )
  expect(() => readProfile(write({ passages: "3" }), "p.json")).toThrow("reading.passages")
  expect(() => readProfile('{"riding":{}}', "p.json")).toThrow("riding")
})

test("a router from before there was a feature does not look at it", () => {
  const { named: _, ...weights } = plainRouter.weights
  const { router } = readProfile(JSON.stringify({ router: { ...plainRouter, weights } }), "p")
  expect(router.weights).toEqual({ ...plainRouter.weights, named: 0 })
})

test("labelled questions are read, and a wrong line is named", () => {
  const lines = [
    '{"question":"Who?","retrieve":true}',
    '{"messages":[{"role":"user","content":"Hi"}],"retrieve":false,"answer":"Hello"}',
  ]
  expect(readQuestions(lines.join("\n"), "q")).toEqual([
    { messages: [{ role: "user", content: "Who?" }], retrieve: true, answer: null, kind: "fact", document: null },
    { messages: [{ role: "user", content: "Hi" }], retrieve: false, answer: "Hello", kind: "form", document: null },
  ])
  const wrong: readonly (readonly [string, string])[] = [
    ["{", "q, line 1: expected a JSON object"],
    ['{"question":"a"}', "q, line 1: retrieve"],
    ['{"retrieve":true}', "q, line 1: expected either question or messages"],
    ["", "There is no question in q"],
  ]
  for (const [line, message] of wrong) expect(() => readQuestions(line, "q")).toThrow(message)
})
