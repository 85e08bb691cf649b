/**
 * @module A command of the command line: its options as a table, from which parsing, help and documentation are made.
 */
import { parseArgs } from "node:util"
import { EspalierError, messageOf } from "../core/errors.ts"
import { isWithin, type NumberRange, rangeText } from "./number-range.ts"

/** One option. */
export type OptionSpec = NumberSpec | OtherSpec

/** An option that is a number: it can't be declared without what it may be. */
interface NumberSpec extends Described {
  readonly type: "number"
  readonly range: NumberRange
}

interface OtherSpec extends Described {
  readonly type: "string" | "boolean" | "list"
}

interface Described {
  readonly description: string
  /** What stands for its value in help. */
  readonly value?: string
  /** Shown in help; commands fill it in themselves. */
  readonly default?: string
  readonly short?: string
  /** Allowed values. */
  readonly choices?: readonly string[]
}

/** Options by name, as `--name`. */
export type OptionTable = Readonly<Record<string, OptionSpec>>

/** The value an option has after parsing; absent ones are undefined. */
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]?: T[K]["type"] extends "boolean"
    ? boolean
    : T[K]["type"] extends "number"
      ? number
      : T[K]["type"] extends "list"
        ? readonly string[]
        : string
}

/** Where a command reads and writes. */
export interface Io {
  out(text: string): void
  err(text: string): void
  readonly isTerminal: boolean
  columns(): number
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A command. `run` returns the exit code. */
export interface Command<T extends OptionTable = OptionTable> {
  readonly name: string
  readonly summary: string
  /** Positional arguments as help shows them. */
  readonly usage: string
  readonly options: T
  readonly examples: readonly string[]
  /** What values of an option mean, a line each, by a heading: shown between options and examples. */
  readonly glossary?: { readonly title: string; readonly entries: readonly (readonly [string, string])[] }
  /** Turns fields of a configuration file that are no options into options. @throws {EspalierError} `invalid_file` */
  expandConfig?(json: Readonly<Record<string, unknown>>): Record<string, unknown>
  run(values: OptionValues<T>, positionals: readonly string[], io: Io): Promise<number>
}

/** Exit codes and what they mean. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  badInput: 3,
  interrupted: 4,
  unavailable: 5,
  heldBack: 6,
} as const

/** Options that every command has. */
export const commonOptions = {
  help: { type: "boolean", short: "h", description: "show this help" },
  json: { type: "boolean", description: "write JSON lines for machines instead of text" },
} as const satisfies OptionTable

/** Declares a command, with its options' types inferred. */
export const defineCommand = <const T extends OptionTable>(command: Command<T>): Command =>
  command as unknown as Command

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof EspalierError)) return error instanceof RangeError ? exitCodes.usage : exitCodes.failed
  switch (error.code) {
    case "invalid_file":
    case "adapter_mismatch":
    case "not_found":
    case "too_large":
      return exitCodes.badInput
    case "invalid_request":
    case "context_length_exceeded":
    case "unsupported":
    case "conflict":
      return exitCodes.usage
    case "unavailable":
      return exitCodes.unavailable
    case "aborted":
      return exitCodes.interrupted
    default:
      return exitCodes.failed
  }
}

/** Parses arguments. @throws {EspalierError} `invalid_request` naming the option, with the one that was perhaps meant. */
export function parseOptions(
  command: Command,
  args: readonly string[],
): { values: OptionValues<OptionTable>; positionals: string[] } {
  const table: OptionTable = { ...command.options, ...commonOptions }
  const known = Object.keys(table)
  for (const arg of args) {
    if (arg === "--") break
    const name = /^--(?:no-)?([^=]+)/.exec(arg)?.[1]
    if (name === undefined || known.includes(name) || known.includes(arg.slice(2).split("=")[0]!)) continue
    const close = nearest(name, known)
    throw new EspalierError("invalid_request", `Unknown option --${name}`, {
      hint: close ? `Did you mean --${close}?` : `See espalier ${command.name} --help`,
    })
  }
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      allowNegative: true,
      options: Object.fromEntries(
        Object.entries(table).map(([name, { type, short }]) => [
          name,
          {
            type: type === "boolean" ? ("boolean" as const) : ("string" as const),
            ...(type === "list" && { multiple: true }),
            ...(short && { short }),
          },
        ]),
      ),
    }) as typeof parsed
  } catch (cause) {
    throw new EspalierError("invalid_request", messageOf(cause), { hint: `See espalier ${command.name} --help`, cause })
  }
  const values = Object.fromEntries(
    Object.entries(parsed.values).map(([name, value]) => [name, checkedValue(name, table[name]!, value)]),
  )
  return { values: values as OptionValues<OptionTable>, positionals: parsed.positionals }
}

/** A value from the command line or a configuration file, checked. @throws {EspalierError} `invalid_request` */
export function checkedValue(name: string, spec: OptionSpec, value: unknown): unknown {
  const { type, choices } = spec
  const wrong = (expected: string) =>
    new EspalierError("invalid_request", `Expected ${name} to be ${expected} but found ${JSON.stringify(value)}`, {
      param: name,
    })
  if (type === "number") {
    const number =
      typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN
    if (!Number.isFinite(number)) throw wrong("a number")
    if (isWithin(number, spec.range)) return number
    throw new EspalierError("invalid_request", `Expected ${name} to be ${rangeText(spec.range)} but found ${number}`, {
      param: name,
    })
  }
  if (type === "boolean") {
    if (typeof value !== "boolean") throw wrong("true or false")
    return value
  }
  if (type === "list") {
    const list = Array.isArray(value) ? value : [value]
    if (!list.every((item) => typeof item === "string")) throw wrong("a list of texts")
    return list
  }
  if (typeof value !== "string") throw wrong("a text")
  if (choices && !choices.includes(value)) throw wrong(`one of ${choices.join(", ")}`)
  return value
}

/** Help for a command. @param program what stands before the command's name */
export function helpOf(command: Command, program = "espalier"): string {
  const table: OptionTable = { ...command.options, ...commonOptions }
  const rows = Object.entries(table).map(([name, spec]) => {
    const value = spec.type === "boolean" ? "" : ` <${spec.value ?? (spec.type === "number" ? "n" : "text")}>`
    const left = `${spec.short ? `-${spec.short}, ` : "    "}--${name}${value}`
    const choices = spec.choices ? ` (${spec.choices.join(", ")})` : ""
    return [left, `${spec.description}${choices}${spec.default ? ` [${spec.default}]` : ""}`] as const
  })
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  const { title, entries } = command.glossary ?? { title: "", entries: [] }
  const indent = Math.max(0, ...entries.map(([name]) => name.length)) + 2
  return [
    `${program} ${command.name} ${command.usage}`.trimEnd(),
    "",
    command.summary,
    "",
    "Options:",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    ...(entries.length > 0
      ? ["", `${title}:`, ...entries.map(([name, text]) => `  ${name.padEnd(indent)}${text}`)]
      : []),
    "",
    "Examples:",
    ...command.examples.map((example) => `  ${example}`),
  ].join("\n")
}

/** The known name that differs least, if it is close. */
export function nearest(name: string, known: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name, candidate)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}
