import { describe, expect, test } from "bun:test"
import { type ChatRow, parseRow, parseRows, type Row } from "../../../src/data/rows.ts"

const parse = (value: Record<string, unknown>): Row | string => parseRow({ line: 3, value })
/** Roles, contents and which of them count (`*`). */
const turnsOf = (row: Row | string): string[] => {
  if (typeof row === "string" || row.kind === "text") throw new TypeError(`No turns: ${JSON.stringify(row)}`)
  return row.messages.map(({ message, counts }) => `${message.role}${counts ? "*" : ""}: ${message.content}`)
}
const user = { role: "user", content: "q" }
const assistant = { role: "assistant", content: "a" }

describe("parseRow()", () => {
  test("recognises messages; weight 0 takes an assistant's turn out of the loss", () => {
    const row = parse({
      messages: [
        { role: "system", content: "s" },
        user,
        { ...assistant, weight: 0 },
        user,
        { ...assistant, weight: 1 },
      ],
    })
    expect(row).toMatchObject({ kind: "chat", shape: "messages", line: 3 })
    expect(turnsOf(row)).toEqual(["system: s", "user: q", "assistant: a", "user: q", "assistant*: a"])
    expect(JSON.stringify(row)).not.toContain("weight")
  })

  test("reads the arguments of a tool call that stand in a text as JSON, and leaves other texts alone", () => {
    const calls = (...args: unknown[]) =>
      args.map((each) => ({ type: "function", function: { name: "f", arguments: each } }))
    const messages = [
      { role: "user", content: "q" },
      { role: "assistant", content: null, tool_calls: calls('{"a": 1}', { b: 2 }, "no JSON") },
    ]
    expect(parse({ messages })).toMatchObject({
      messages: [{}, { message: { tool_calls: calls({ a: 1 }, { b: 2 }, "no JSON") } }],
    })
  })

  test("keeps tools and other fields of a message for the template", () => {
    const tools = [{ type: "function", function: { name: "f" } }]
    const calls = [{ id: "1", type: "function" }]
    const row = parse({ messages: [user, { role: "assistant", content: null, tool_calls: calls }], tools })
    expect(row).toMatchObject({ tools })
    expect((row as ChatRow).messages[1]).toEqual({
      message: { role: "assistant", content: "", tool_calls: calls },
      counts: true,
    })
  })

  test("joins content parts that are text and refuses others", () => {
    const text = (content: unknown) => parse({ messages: [{ role: "user", content }, assistant] })
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ]
    expect(turnsOf(text(parts))[0]).toBe("user: ab")
    expect(text([{ type: "image_url", image_url: {} }])).toStartWith("messages.0.content")
  })

  test("recognises prompt and completion as strings", () => {
    const row = parse({ prompt: "q", completion: "a" })
    expect(row).toMatchObject({ kind: "pair", shape: "prompt-completion", prompt: "q", completion: "a" })
    expect(turnsOf(row)).toEqual(["user: q", "assistant*: a"])
  })

  test("recognises prompt and completion as messages; only the completion counts", () => {
    const row = parse({ prompt: [user, assistant, user], completion: [assistant] })
    expect(row).toMatchObject({ kind: "chat", shape: "prompt-completion" })
    expect(turnsOf(row)).toEqual(["user: q", "assistant: a", "user: q", "assistant*: a"])
  })

  test("recognises alpaca, with Stanford's text for bases without turns", () => {
    const row = parse({ instruction: "Add", input: "1 2", output: "3" })
    expect(row).toMatchObject({
      kind: "pair",
      shape: "alpaca",
      prompt: "### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:\n",
      completion: "3",
    })
    expect(turnsOf(row)).toEqual(["user: Add\n1 2", "assistant*: 3"])
    const bare = parse({ instruction: "Hi", output: "Hello" })
    expect(bare).toMatchObject({ prompt: "### Instruction:\nHi\n\n### Response:\n" })
    expect(turnsOf(bare)).toEqual(["user: Hi", "assistant*: Hello"])
  })

  test("recognises LLaMA-Factory's system and history in alpaca", () => {
    const row = parse({ instruction: "b", input: "", output: "B", system: "s", history: [["a", "A"]] })
    expect(turnsOf(row)).toEqual(["system: s", "user: a", "assistant*: A", "user: b", "assistant*: B"])
    expect(row).toMatchObject({
      prompt: "s\n\n### Instruction:\na\n\n### Response:\nA\n\n### Instruction:\nb\n\n### Response:\n",
    })
  })

  test("recognises sharegpt", () => {
    const conversations = [
      { from: "human", value: "q" },
      { from: "function_call", value: "f()" },
      { from: "observation", value: "1" },
      { from: "gpt", value: "a" },
    ]
    const row = parse({ conversations, system: "s" })
    expect(row).toMatchObject({ kind: "chat", shape: "sharegpt" })
    expect(turnsOf(row)).toEqual(["system: s", "user: q", "assistant*: f()", "tool: 1", "assistant*: a"])
  })

  test("recognises text", () => {
    expect(parse({ text: "t", extra: 1 })).toEqual({ kind: "text", shape: "text", line: 3, text: "t" })
  })

  const refused: [Record<string, unknown>, string][] = [
    [{}, "Expected messages, prompt and completion, instruction and output, conversations, or text but found no field"],
    [{ question: "q", reply: null }, 'text but found the fields "question", "reply"'],
    [{ prompt: "q" }, 'found the fields "prompt"'],
    [{ text: "" }, "text: Expected some text but found none"],
    [{ text: 5 }, "text: Invalid type: Expected string but received 5"],
    [{ prompt: "q", completion: "" }, "completion: Expected some text but found none"],
    [{ prompt: "q", completion: [assistant] }, "prompt: Invalid type"],
    [{ messages: [] }, "messages: Expected at least one message"],
    [{ messages: [user] }, "No message of role assistant to learn from"],
    [{ messages: [{ role: "assistant", content: 5 }] }, "messages.0.content: Invalid type"],
    [{ messages: [{ role: "", content: "a" }] }, "messages.0.role: Expected some text but found none"],
    [{ messages: [{ ...assistant, weight: 2 }] }, "messages.0.weight: Invalid type: Expected (0 | 1) but received 2"],
    [{ conversations: [{ from: "bot", value: "a" }] }, "conversations.0.from: Invalid type"],
    [{ instruction: "i", output: 1 }, "output: Invalid type: Expected string but received 1"],
    [{ prompt: "q", chosen: "a", rejected: "b" }, "Preference rows (chosen, rejected) need a preference loss"],
  ]
  for (const [value, reason] of refused) {
    test(`says why it can't use ${JSON.stringify(value)}`, () => {
      expect(parse(value)).toBeString()
      expect(parse(value)).toContain(reason)
    })
  }
})

test("parseRows() keeps lines on both sides", () => {
  const raws = [
    { line: 2, value: { text: "a" } },
    { line: 5, value: { oops: 1 } },
  ]
  const { rows, skipped } = parseRows(raws)
  expect(rows.map(({ line }) => line)).toEqual([2])
  expect(skipped.map(({ line }) => line)).toEqual([5])
})
