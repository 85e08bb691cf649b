/**
 * @module Renders a base's Jinja chat template within a budget.
 *
 * A template is a program that comes with the base. It runs in the interpreter of `@huggingface/jinja`, which has no
 * access to anything but its variables; every node it evaluates is counted, and sizes are bounded, so that no template
 * and no conversation can keep the process busy: `range(4e6)` alone took 7 seconds.
 */
import { Environment, parse, tokenize } from "@huggingface/jinja"
import { EspalierError, messageOf } from "../core/errors.ts"
import { MAX_ITEMS, MeteredInterpreter, OverBudget, type RenderBudget } from "./metered-interpreter.ts"

/** A template longer than this is refused: the longest in use have about 20,000 characters. */
const MAX_TEMPLATE_LENGTH = 128 * 1024
const MAX_MESSAGES = 2048
/** A template, ready to render variables such as `messages`, `tools` and `add_generation_prompt`. */
export type ChatTemplate = (variables: Readonly<Record<string, unknown>>) => string

/**
 * Parses a template.
 * @throws {EspalierError} `invalid_file` if it is no Jinja template or too long.
 */
export function compileChatTemplate(source: string, budget: RenderBudget = {}): ChatTemplate {
  if (source.length > MAX_TEMPLATE_LENGTH) {
    throw new EspalierError(
      "invalid_file",
      `The chat template has ${source.length} characters, more than the ${MAX_TEMPLATE_LENGTH} allowed`,
    )
  }
  let program: ReturnType<typeof parse>
  try {
    program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
  } catch (cause) {
    throw new EspalierError("invalid_file", `The chat template can't be read: ${messageOf(cause)}`, { cause })
  }
  return (variables) => {
    const { messages } = variables
    if (Array.isArray(messages) && messages.length > MAX_MESSAGES) {
      throw refused(`Expected at most ${MAX_MESSAGES} messages, found ${messages.length}`)
    }
    try {
      const environment = new Environment()
      for (const [name, value] of Object.entries({ ...globals(), ...variables })) environment.set(name, value)
      return String(new MeteredInterpreter(environment, budget).run(program).value)
    } catch (cause) {
      if (cause instanceof OverBudget || cause instanceof RangeError) {
        throw refused(`The base's chat template can't render these messages: ${messageOf(cause)}`, cause)
      }
      throw refused(`The base's chat template refused the messages: ${messageOf(cause)}`, cause)
    }
  }
}

/** Names that every template may use; the same as in the library, but for a bounded `range`. */
function globals(): Record<string, unknown> {
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null }
  return {
    ...constants,
    raise_exception(message: unknown) {
      throw new Error(typeof message === "string" ? message : "(no text)")
    },
    range,
    strftime_now: (format: unknown) => (typeof format === "string" ? formatDate(new Date(), format) : ""),
  }
}

function range(first: unknown, end?: unknown, step: unknown = 1): number[] {
  // A list would be made a number by writing it out first.
  if (typeof first !== "number" || typeof step !== "number" || (end !== undefined && typeof end !== "number"))
    throw new Error("range() takes numbers")
  const [start, stop] = end === undefined ? [0, first] : [first, end]
  const length = Math.max(0, Math.ceil((stop - start) / step))
  if (!(length <= MAX_ITEMS)) throw new OverBudget(`it counts to ${length}, more than the ${MAX_ITEMS} allowed`)
  return Array.from({ length }, (_, i) => start + i * step)
}

/** The parts of C's strftime that templates use. */
function formatDate(date: Date, format: string): string {
  const name = (options: Intl.DateTimeFormatOptions): string => new Intl.DateTimeFormat("en", options).format(date)
  const two = (value: number): string => String(value).padStart(2, "0")
  const parts: Readonly<Record<string, () => string>> = {
    a: () => name({ weekday: "short" }),
    A: () => name({ weekday: "long" }),
    b: () => name({ month: "short" }),
    B: () => name({ month: "long" }),
    d: () => two(date.getDate()),
    m: () => two(date.getMonth() + 1),
    y: () => two(date.getFullYear() % 100),
    Y: () => String(date.getFullYear()),
    H: () => two(date.getHours()),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    "%": () => "%",
  }
  return format.replace(/%([a-zA-Z%])/g, (all, part: string) => parts[part]?.() ?? all)
}

function refused(message: string, cause?: unknown): EspalierError {
  return new EspalierError("invalid_request", message, { param: "messages", cause })
}
