/**
 * @module Where each message's content stands in a rendered conversation. Chat templates don't say: it's found by
 * rendering other conversations with the same template and comparing.
 *
 * - Contents: the conversation is rendered with marks in their places. Where that agrees with the real one, as it is or
 *   with contents trimmed, the marks show where they are.
 * - Assistant turns: the conversation before the turn, with the generation prompt, ends where an answer would begin; the
 *   conversation up to the turn ends where the turn does. Where a template rewrites earlier turns once later ones follow,
 *   so that these aren't beginnings of the whole, a turn is its content with a control token that follows at once.
 * - Tool calls: they are what an assistant writes, too. A turn that holds nothing else has no content to be marked, since
 *   templates leave out what surrounds an empty one, and is found by its beginning and end alone.
 */
import type { ChatMessage } from "./tokenizer-contract.ts"

/** Characters [start, end) of a message in the rendered text. */
export interface TextSpan {
  readonly message: number
  readonly start: number
  readonly end: number
}

/** Renders messages, with or without the beginning of an assistant's turn at the end. */
export type Render = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string

/** Renders a conversation that the template may refuse. */
function attempt(render: Render, messages: readonly ChatMessage[], prompt: boolean): string | null {
  try {
    return render(messages, prompt)
  } catch {
    return null
  }
}

/**
 * Finds the messages in `text`, which is `render(messages, prompt)`, in order. A content's span takes in a control token
 * that follows at once; an assistant's begins where the generation prompt ends and takes in the token that ends the turn.
 * @param control pattern of control tokens
 * @param marks two characters that stand nowhere in the messages
 * @returns a span for every content in the text; none where the template does more with contents than trim them
 */
export function findSpans(
  text: string,
  messages: readonly ChatMessage[],
  prompt: boolean,
  render: Render,
  control: RegExp | null,
  marks: readonly [string, string],
): TextSpan[] {
  const contents = findContents(text, messages, prompt, render, marks)
  if (contents.size === 0) return []
  return messages.flatMap((each, message) => {
    const earliest = contents.get(message - 1)?.end ?? 0
    const content = contents.get(message)
    if (!content) {
      const prompt = commonLength(text, attempt(render, messages.slice(0, message), true) ?? "")
      const call = answerAround({ start: prompt, end: prompt }, earliest, text, message, messages, render, control)
      return call.end > call.start ? [{ message, ...call }] : []
    }
    const { start, end } = content
    if (each.role !== "assistant") return [{ message, start, end: controlEnd(text, end, control) }]
    return [{ message, ...answerAround(content, earliest, text, message, messages, render, control) }]
  })
}

/** Whether a message calls tools. */
const isCall = ({ role, ...message }: ChatMessage): boolean => {
  const calls: unknown = (message as Readonly<Record<string, unknown>>)["tool_calls"]
  return role === "assistant" && Array.isArray(calls) && calls.length > 0
}

/** Whether a message has a content that can be marked. */
const isMarked = (message: ChatMessage): boolean => !isCall(message) || String(message.content ?? "").trim() !== ""

interface Range {
  readonly start: number
  readonly end: number
}

/** Where contents stand by marks; empty where the template does more with them than trimming. */
function findContents(
  text: string,
  messages: readonly ChatMessage[],
  prompt: boolean,
  render: Render,
  [open, close]: readonly [string, string],
): Map<number, Range> {
  const found = new Map<number, Range>()
  const marked = messages.map((message, i) =>
    isMarked(message) ? { ...message, content: `${open}${i}${close}` } : message,
  )
  const parts = attempt(render, marked, prompt)?.split(new RegExp(`${open}(\\d+)${close}`, "u"))
  if (parts === undefined || !text.startsWith(parts[0]!)) return found
  let at = parts[0]!.length
  for (let part = 1; part < parts.length; part += 2) {
    const message = Number(parts[part])
    const content = String(messages[message]!.content ?? "")
    const last = part + 2 === parts.length
    const next = parts[part + 1]!
    const fits = (written: string): boolean =>
      text.startsWith(written + next, at) && (!last || at + written.length + next.length === text.length)
    const written = [content, content.trim()].find(fits)
    if (written === undefined) return new Map()
    found.set(message, { start: at, end: at + written.length })
    at += written.length + next.length
  }
  return found
}

/** An assistant's turn around its content: all that a model asked for it would have to write. */
function answerAround(
  content: Range,
  earliest: number,
  text: string,
  message: number,
  messages: readonly ChatMessage[],
  render: Render,
  control: RegExp | null,
): Range {
  const before = attempt(render, messages.slice(0, message), true) ?? ""
  const after = attempt(render, messages.slice(0, message + 1), false)
  // An answer begins where the generation prompt ends, unless that would leave a turn's header to the model.
  const prompt = commonLength(text, before)
  const leads = prompt > earliest && prompt <= content.start && !hasControl(text.slice(prompt, content.start), control)
  // It ends with the first control token of its own turn; a newline after that is the template's.
  const turnEnd = after !== null && text.startsWith(after) ? after.length : content.end
  const endings = control ? [...text.slice(content.end, turnEnd).matchAll(new RegExp(control.source, "gu"))] : []
  // Calls may have control tokens of their own in them: the last one ends the turn.
  const ending = endings.at(isCall(messages[message]!) ? -1 : 0)
  const end = ending ? content.end + ending.index + ending[0].length : controlEnd(text, content.end, control)
  return { start: leads ? prompt : content.start, end }
}

const hasControl = (text: string, control: RegExp | null): boolean => control !== null && text.search(control) >= 0

/** The end of a control token that stands at `at`; `at` if none does. */
function controlEnd(text: string, at: number, control: RegExp | null): number {
  if (control === null) return at
  const sticky = new RegExp(control.source, "uy")
  sticky.lastIndex = at
  return sticky.test(text) ? sticky.lastIndex : at
}

/** How many characters two texts share from the start. */
function commonLength(a: string, b: string): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}
