/**
 * @module Renders a base's Jinja chat template within a budget.
 *
 * A template is a program that comes with the base. It runs in the interpreter of `@huggingface/jinja`, which has no
 * access to anything but its variables; every node it evaluates is counted, and sizes are bounded, so that no template
 * and no conversation can keep the process busy: `range(4e6)` alone took 7 seconds.
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja"
import { EspalierError, messageOf } from "../core/errors.ts"

/** What may be spent on one rendering. */
export interface RenderBudget {
  /** Nodes evaluated. A message costs some tens of them, in templates with tools a few hundred. @default {1_000_000} */
  readonly steps?: number
  /** Characters of any text on the way. @default {16_777_216} */
  readonly characters?: number
}

/** A template longer than this is refused: the longest in use have about 20,000 characters. */
const MAX_TEMPLATE_LENGTH = 128 * 1024
const MAX_MESSAGES = 2048
/** Items of any list on the way. */
const MAX_ITEMS = 100_000
/** What one iteration of a loop costs beside its nodes: the interpreter makes a scope and a `loop` object for each. */
const ITERATION = 10
/** Nodes inside nodes: far less than what would overflow the stack, which takes seconds. */
const MAX_DEPTH = 1000

/** A template, ready to render variables such as `messages`, `tools` and `add_generation_prompt`. */
export type ChatTemplate = (variables: Readonly<Record<string, unknown>>) => string

/** Stops an evaluation. Not an EspalierError, since a template may be at fault as well as a conversation. */
class OverBudget extends Error {}

type Evaluate = Interpreter["evaluate"]

/** Counts what the template does: a step a node and an iteration, and more for large values, which cost time too. */
class Metered extends Interpreter {
  #left: number
  #depth = 0
  readonly #characters: number
  readonly #iterables = new WeakSet<object>()

  constructor(environment: Environment, { steps = 1_000_000, characters = 2 ** 24 }: RenderBudget) {
    super(environment)
    this.#left = steps
    this.#characters = characters
  }

  override evaluate(...[node, environment]: Parameters<Evaluate>): ReturnType<Evaluate> {
    this.#spend(1)
    if (++this.#depth > MAX_DEPTH) throw new OverBudget("it calls itself too deeply")
    if (node?.type === "For") {
      // The interpreter sets up every iteration, even of an empty body, before it evaluates any.
      const { iterable } = node as unknown as { iterable: { lhs?: object } }
      this.#iterables.add(iterable).add(iterable.lhs ?? iterable)
    }
    let result: ReturnType<Evaluate>
    try {
      result = super.evaluate(node, environment)
    } finally {
      // Also where `break` and `continue`, which are exceptions, leave nodes behind.
      this.#depth--
    }
    const value: unknown = result.value
    if (typeof value === "string") {
      if (value.length > this.#characters) throw new OverBudget("it writes too long a text")
      this.#spend(Math.floor(value.length / 1024))
    } else if (Array.isArray(value) || value instanceof Map) {
      const items = value instanceof Map ? value.size : value.length
      if (items > MAX_ITEMS) throw new OverBudget(`it makes a list of more than ${MAX_ITEMS} items`)
      const iterated = node !== undefined && this.#iterables.has(node)
      this.#spend(iterated ? items * ITERATION : Math.floor(items / 64))
    }
    return result
  }

  #spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new OverBudget("it takes too many steps")
  }
}

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
      return String(new Metered(environment, budget).run(program).value)
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
      throw new Error(String(message))
    },
    range,
    strftime_now: (format: unknown) => formatDate(new Date(), String(format)),
  }
}

function range(first: number, end?: number, step = 1): number[] {
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
