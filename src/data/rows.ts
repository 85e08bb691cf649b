/**
 * @module What a row means: it recognises the shapes people train on and brings each to one of three kinds. A file may
 * mix shapes; each row is recognised by itself.
 *
 * - messages: `{messages: [{role, content, weight?}], tools?}`, as OpenAI's fine-tuning files
 * - prompt and completion: `{prompt, completion}`, two strings or two lists of messages, as TRL
 * - alpaca: `{instruction, input?, output, system?, history?}`, as Stanford Alpaca and LLaMA-Factory
 * - sharegpt: `{conversations: [{from, value}]}`
 * - text: `{text}`
 */
import * as v from "valibot"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { RawRow, Skipped } from "./raw-row.ts"

/** The shape a row was written in. */
export type RowShape = "messages" | "prompt-completion" | "alpaca" | "sharegpt" | "text"

/** A message and whether, being the assistant's, it counts in the loss. */
export interface RowMessage {
  readonly message: ChatMessage
  readonly counts: boolean
}

/** A conversation. */
export interface ChatRow {
  readonly kind: "chat"
  readonly shape: RowShape
  readonly line: number
  readonly messages: readonly RowMessage[]
  readonly tools?: readonly unknown[]
}

/** A prompt with its completion: as plain texts for a base without turns, as messages for one with a chat template. */
export interface PairRow {
  readonly kind: "pair"
  readonly shape: RowShape
  readonly line: number
  readonly prompt: string
  readonly completion: string
  readonly messages: readonly RowMessage[]
}

/** A text without parts. */
export interface TextRow {
  readonly kind: "text"
  readonly shape: RowShape
  readonly line: number
  readonly text: string
}

/** A row that was recognised. */
export type Row = ChatRow | PairRow | TextRow

const filled = v.pipe(v.string(), v.nonEmpty("Expected some text but found none"))
const part = v.object({ type: v.literal("text"), text: v.string() })
const message = v.looseObject({
  role: filled,
  content: v.nullish(v.union([v.string(), v.array(part)])),
  weight: v.optional(v.picklist([0, 1])),
})
const messages = v.pipe(v.array(message), v.nonEmpty("Expected at least one message"))
const tools = v.nullish(v.array(v.record(v.string(), v.unknown())))

const messagesRow = v.object({ messages, tools })
const pairOfTexts = v.object({ prompt: v.string(), completion: filled })
const pairOfMessages = v.object({ prompt: messages, completion: messages, tools })
const alpacaRow = v.object({
  instruction: v.string(),
  input: v.nullish(v.string(), ""),
  output: filled,
  system: v.nullish(v.string(), ""),
  history: v.nullish(v.array(v.tuple([v.string(), v.string()])), []),
})
const speakers = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
  function_call: "assistant",
  observation: "tool",
  tool: "tool",
} as const
const sharegptRow = v.object({
  conversations: v.pipe(
    v.array(v.object({ from: v.picklist(Object.keys(speakers) as (keyof typeof speakers)[]), value: v.string() })),
    v.nonEmpty("Expected at least one turn"),
  ),
  system: v.nullish(v.string(), ""),
  tools,
})
const textRow = v.object({ text: filled })

/** Recognises rows. */
export function parseRows(raws: readonly RawRow[]): { rows: Row[]; skipped: Skipped[] } {
  const rows: Row[] = []
  const skipped: Skipped[] = []
  for (const raw of raws) {
    const row = parseRow(raw)
    if (typeof row === "string") skipped.push({ line: raw.line, reason: row })
    else rows.push(row)
  }
  return { rows, skipped }
}

/**
 * Recognises one row by its keys.
 * @returns the row, or the reason why it can't be used.
 */
export function parseRow({ line, value }: RawRow): Row | string {
  const has = (...keys: string[]) => keys.every((key) => value[key] !== undefined && value[key] !== null)
  if (has("messages")) {
    return checked(messagesRow, value, (row) => chat("messages", line, row.messages.map(given), row.tools))
  }
  if (has("conversations")) {
    return checked(sharegptRow, value, (row) => {
      const turns = row.conversations.map(({ from, value: content }) => turn(speakers[from], content))
      return chat("sharegpt", line, [...systemTurn(row.system), ...turns], row.tools)
    })
  }
  if (has("prompt", "completion")) {
    if (Array.isArray(value.prompt) || Array.isArray(value.completion)) {
      return checked(pairOfMessages, value, (row) => {
        const asked = row.prompt.map((one) => ({ ...given(one), counts: false }))
        return chat("prompt-completion", line, [...asked, ...row.completion.map(given)], row.tools)
      })
    }
    return checked(pairOfTexts, value, ({ prompt, completion }) => {
      const turns = [turn("user", prompt), turn("assistant", completion)]
      return { kind: "pair", shape: "prompt-completion", line, prompt, completion, messages: turns }
    })
  }
  if (has("instruction", "output")) return checked(alpacaRow, value, (row) => alpaca(line, row))
  if (has("prompt", "chosen") || has("chosen", "rejected")) {
    return "Preference rows (chosen, rejected) need a preference loss, which this version does not have"
  }
  if (has("text")) return checked(textRow, value, ({ text }) => ({ kind: "text", shape: "text", line, text }))
  const keys = Object.keys(value)
    .slice(0, 8)
    .map((key) => JSON.stringify(key.slice(0, 40)))
  return `Expected messages, prompt and completion, instruction and output, conversations, or text but found ${
    keys.length === 0 ? "no field" : `the fields ${keys.join(", ")}`
  }`
}

/** The text that Alpaca puts before an answer. https://github.com/tatsu-lab/stanford_alpaca#data-release */
export const alpacaPrompt = (instruction: string, input: string): string =>
  `### Instruction:\n${instruction}\n\n${input === "" ? "" : `### Input:\n${input}\n\n`}### Response:\n`

/** With a chat template the user's turn is the instruction, a newline and the input, as LLaMA-Factory has it. */
function alpaca(line: number, row: v.InferOutput<typeof alpacaRow>): Row {
  const { instruction, output, history } = row
  const input = row.input ?? ""
  const before = history ?? []
  const prompt = [
    ...(row.system ? [`${row.system}\n\n`] : []),
    ...before.map(([question, answer]) => `${alpacaPrompt(question, "")}${answer}\n\n`),
    alpacaPrompt(instruction, input),
  ].join("")
  const messages = [
    ...systemTurn(row.system),
    ...before.flatMap(([question, answer]) => [turn("user", question), turn("assistant", answer)]),
    turn("user", input === "" ? instruction : `${instruction}\n${input}`),
    turn("assistant", output),
  ]
  return { kind: "pair", shape: "alpaca", line, prompt, completion: output, messages }
}

function chat(
  shape: RowShape,
  line: number,
  list: readonly RowMessage[],
  offered: readonly unknown[] | null | undefined,
): ChatRow | string {
  if (!list.some(({ message: { role } }) => role === "assistant")) return "No message of role assistant to learn from"
  const row = { kind: "chat", shape, line, messages: list } as const
  return offered && offered.length > 0 ? { ...row, tools: offered } : row
}

const turn = (role: string, content: string): RowMessage => ({
  message: { role, content },
  counts: role === "assistant",
})

const systemTurn = (system: string | null | undefined): RowMessage[] => (system ? [turn("system", system)] : [])

/** A message as it was given: content parts are joined, `weight` becomes `counts`, other fields go to the template. */
function given({ role, content, weight, ...extra }: v.InferOutput<typeof message>): RowMessage {
  const text = Array.isArray(content) ? content.map((one) => one.text).join("") : (content ?? "")
  return { message: { ...withParsedCalls(extra), role, content: text }, counts: role === "assistant" && weight !== 0 }
}

/**
 * Tool calls with their arguments as objects: OpenAI's files have them as JSON in a text, which chat templates would put
 * into quotation marks. https://huggingface.co/docs/transformers/chat_extras#tool-calling-example
 */
function withParsedCalls(extra: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { tool_calls: calls } = extra
  if (!Array.isArray(calls)) return { ...extra }
  return {
    ...extra,
    tool_calls: calls.map((call: unknown) => {
      const { function: called } = (call ?? {}) as { readonly function?: { readonly arguments?: unknown } }
      if (typeof called?.arguments !== "string") return call
      try {
        return { ...(call as object), function: { ...called, arguments: JSON.parse(called.arguments) as unknown } }
      } catch {
        return call
      }
    }),
  }
}

/** Checks a row against its schema, and says each field that is wrong. */
function checked<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  make: (row: v.InferOutput<S>) => Row | string,
): Row | string {
  const result = v.safeParse(schema, value)
  if (result.success) return make(result.output)
  return result.issues
    .slice(0, 3)
    .map((issue) => `${v.getDotPath(issue) ?? "row"}: ${issue.message}`)
    .join("; ")
}
