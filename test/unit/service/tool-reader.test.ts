/**
 * @module Calls read out of answers: the same however the text is cut, and what is no call stays text.
 */
import { describe, expect, test } from "bun:test"
import { createToolReader, type WrittenCall } from "../../../src/service/tool-reader.ts"

const names = new Set(["weather", "time"])
const tags = { open: "<tool_call>", close: "</tool_call>" }
const list = { open: "[", close: "]" }
const bare = { open: "", close: "" }

/** What an answer says and calls, read in pieces of `size`. */
function readIn(
  size: number,
  form: { open: string; close: string },
  text: string,
): { content: string; calls: WrittenCall[] } {
  const reader = createToolReader(form, names)
  const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? []
  const read = [...pieces.map((piece) => reader.push(piece)), reader.flush()]
  return { content: read.map(({ content }) => content).join(""), calls: read.flatMap(({ calls }) => calls) }
}

const weather = { name: "weather", arguments: '{"city":"Ulm"}' }
const tagged = (object: string): string => `<tool_call>\n${object}\n</tool_call>`
const ulm = '{"name": "weather", "arguments": {"city": "Ulm"}}'

const cases: readonly [
  name: string,
  form: typeof tags,
  text: string,
  content: string,
  calls: readonly WrittenCall[],
][] = [
  ["a call alone", tags, tagged(ulm), "", [weather]],
  ["a text before it", tags, `I'll look.\n${tagged(ulm)}`, "I'll look.", [weather]],
  [
    "two calls",
    tags,
    `${tagged(ulm)}\n${tagged('{"name":"time","arguments":{}}')}\n`,
    "",
    [weather, { name: "time", arguments: "{}" }],
  ],
  ["a text after it", tags, `${tagged(ulm)} Wait`, " Wait", [weather]],
  [
    "what closes inside a string",
    tags,
    tagged('{"name":"time","arguments":{"a":"</tool_call>}\\""}}'),
    "",
    [{ name: "time", arguments: '{"a":"</tool_call>}\\""}' }],
  ],
  ["an end in place of what closes", tags, `<tool_call>\n${ulm}`, "", [weather]],
  ["no call", tags, "1 < 2 <tool> and so on <tool_cal", "1 < 2 <tool> and so on <tool_cal", []],
  ["a tool that is none", tags, tagged('{"name":"rm","arguments":{}}'), tagged('{"name":"rm","arguments":{}}'), []],
  [
    "arguments that are no object",
    tags,
    tagged('{"name":"time","arguments":[1]}'),
    tagged('{"name":"time","arguments":[1]}'),
    [],
  ],
  ["broken JSON", tags, "<tool_call>{oops}</tool_call> sorry", "<tool_call>{oops}</tool_call> sorry", []],
  ["a call that is cut", tags, '<tool_call>{"name": "wea', '<tool_call>{"name": "wea', []],
  [
    "a list of calls",
    list,
    `[${ulm}, {"name": "time", "arguments": {}}]`,
    "",
    [weather, { name: "time", arguments: "{}" }],
  ],
  ["brackets in a text", list, "see [1] and [2]", "see [1] and [2]", []],
  ["a bare object", bare, `\n{"name": "weather", "parameters": {"city": "Ulm"}}`, "", [weather]],
  ["a bare object within a text", bare, `So: ${ulm}`, `So: ${ulm}`, []],
  ["another bare object", bare, '{"answer": 42}', '{"answer": 42}', []],
  ["blanks alone", tags, "  \n ", "  \n ", []],
]

describe("createToolReader()", () => {
  for (const [name, form, text, content, calls] of cases) {
    test(`${name}, however it is cut`, () => {
      for (let size = 1; size <= text.length + 1; size++) {
        expect([size, readIn(size, form, text)]).toEqual([size, { content, calls: [...calls] }])
      }
    })
  }

  test("tells of a text at once, and holds back only what may become a call", () => {
    const reader = createToolReader(tags, names)
    expect(reader.push("Hello there").content).toBe("Hello there")
    expect(reader.push(" a <tool").content).toBe(" a")
    expect(reader.push("box>").content).toBe(" <toolbox>")
  })
})
