/**
 * @module Takes calls of tools out of an answer while it is written: what may still become a call is held back, and what
 * turns out to be none is text.
 */
import type { ToolForm } from "../text/tool-form.ts"

/** A call as the model wrote it. */
export interface WrittenCall {
  readonly name: string
  /** JSON of an object. */
  readonly arguments: string
}

/** What can be told after a piece of the answer. */
export interface ReadPiece {
  readonly content: string
  readonly calls: readonly WrittenCall[]
}

/** Reads one answer. */
export interface ToolReader {
  push(text: string): ReadPiece
  /** The rest, when the answer has ended. */
  flush(): ReadPiece
}

/** For answers without tools: everything is text. */
export const textReader: ToolReader = {
  push: (content) => ({ content, calls: [] }),
  flush: () => ({ content: "", calls: [] }),
}

/**
 * A reader of calls in a base's form.
 * @param names of the tools there are; a call of another one is text
 */
export function createToolReader(form: Pick<ToolForm, "open" | "close">, names: ReadonlySet<string>): ToolReader {
  let held = ""
  /** Whether anything but blanks has been told: a bare object is a call only where it begins the answer. */
  let told = false
  let called = false

  function read(isLast: boolean): ReadPiece {
    let content = ""
    const calls: WrittenCall[] = []
    const tell = (text: string): void => {
      content += text
      told ||= text.trim() !== ""
    }
    while (held !== "") {
      const start = form.open === "" ? bareStart(held, told) : held.indexOf(form.open)
      if (start === -1) {
        // Blanks before a call belong to neither; after one they say nothing.
        const keep = isLast ? (called && held.trim() === "" ? held.length : 0) : waiting(held, form.open, told)
        tell(held.slice(0, held.length - keep))
        held = isLast ? "" : held.slice(held.length - keep)
        break
      }
      const found = readCalls(held, start + form.open.length, form.close, isLast)
      if (found === "open" && !isLast) {
        const before = held.slice(0, start).trimEnd()
        tell(before)
        held = held.slice(before.length)
        break
      }
      const known = typeof found === "object" ? found.calls.flatMap((value) => callOf(value, names) ?? []) : []
      const end = typeof found === "object" ? found.end : held.length
      if (typeof found === "object" && known.length === found.calls.length) {
        tell(held.slice(0, start).trimEnd())
        calls.push(...known)
        called = true
      } else {
        // It only looked like a call.
        const past = typeof found === "object" ? end : start + Math.max(1, form.open.length)
        tell(held.slice(0, past))
        held = held.slice(past)
        told = true
        continue
      }
      held = held.slice(end)
    }
    return { content, calls }
  }

  return {
    push(text) {
      held += text
      return read(false)
    },
    flush: () => read(true),
  }
}

/** Where a bare object begins an answer, or -1. */
function bareStart(text: string, told: boolean): number {
  const start = text.search(/\S/)
  return !told && start !== -1 && text[start] === "{" ? start : -1
}

/** Characters at the end that may belong to a call to come: blanks, and the beginning of what opens one. */
function waiting(text: string, open: string, told: boolean): number {
  if (open === "" && told) return 0
  for (let length = Math.min(open.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(open.slice(0, length))) return length + blanks(text.slice(0, -length))
  }
  return blanks(text)
}

const blanks = (text: string): number => text.length - text.trimEnd().length

/** The objects from `at` to what closes them; `open` where more may come, `none` where there are none. */
function readCalls(
  text: string,
  at: number,
  close: string,
  isLast: boolean,
): { readonly calls: readonly unknown[]; readonly end: number } | "open" | "none" {
  const calls: unknown[] = []
  let place = at
  while (true) {
    while (/[\s,;]/.test(text[place] ?? "")) place++
    const rest = text.slice(place)
    if (calls.length > 0) {
      if (close === "" ? isLast && rest === "" : rest.startsWith(close)) return { calls, end: place + close.length }
      // An end token may stand for what closes.
      if (rest === "" && isLast) return { calls, end: place }
    }
    if (rest === "" || (close.startsWith(rest) && calls.length > 0)) return isLast ? "none" : "open"
    if (!rest.startsWith("{")) return "none"
    const end = endOfObject(text, place)
    if (end === -1) return isLast ? "none" : "open"
    try {
      calls.push(JSON.parse(text.slice(place, end)))
    } catch {
      return "none"
    }
    place = end
  }
}

/** The place after the object that begins at `from`; -1 if it doesn't end. */
function endOfObject(text: string, from: number): number {
  let depth = 0
  let inString = false
  for (let i = from; i < text.length; i++) {
    const character = text[i]
    if (inString) {
      if (character === "\\") i++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === "{" || character === "[") depth++
    else if ((character === "}" || character === "]") && --depth === 0) return i + 1
  }
  return -1
}

/** A call of a tool that there is, or null. */
function callOf(value: unknown, names: ReadonlySet<string>): WrittenCall | null {
  const { name, arguments: given, parameters } = value as Readonly<Record<string, unknown>>
  const args = given ?? parameters ?? {}
  const isObject = typeof args === "object" && args !== null && !Array.isArray(args)
  return typeof name === "string" && names.has(name) && isObject ? { name, arguments: JSON.stringify(args) } : null
}
