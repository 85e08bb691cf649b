/**
 * @module The terminal as commands see it, and what is safe to show on it.
 */
import { resolve } from "node:path"
import { EspalierError, messageOf } from "../core/errors.ts"
import type { Io } from "./command.ts"

/** The process's own streams. */
export const processIo = (): Io => ({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  columns: () => process.stdout.columns ?? 80,
  env: process.env,
})

/** Text without control characters, line breaks and tabs aside: a model's output must not drive the terminal. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n\t]/gu, "")

/** The runtime that runs this clone's own sources, as `node scripts/train.ts` has it; null where something else was started. */
export function sourcesRunBy(program = process.argv[1], folder = process.cwd()): "deno" | "bun" | "node" | null {
  if (!["scripts/train.ts", "src/cli/main.ts"].some((file) => program === resolve(folder, file))) return null
  return process.versions["deno"] ? "deno" : process.versions["bun"] ? "bun" : "node"
}

/**
 * How a command is typed, as what ran was typed: by a script of package.json or a task of deno.json in a clone, by npx in a project
 * that has the package installed, by its own name elsewhere.
 * @param env scripts of package.json, by npm or Bun, and npx, are told of by `npm_lifecycle_event`, and whose they are by
 *   `npm_package_name`
 */
export function typedAs(command: string, env: Io["env"], sources = sourcesRunBy()): string {
  const script = env["npm_lifecycle_event"]
  if (sources === "deno") {
    const task = command === "serve" ? command : `espalier ${command}`
    return `${script === undefined ? "" : "npx "}deno task ${task}`
  }
  if (script === undefined) return sources ? `${sources} src/cli/main.ts ${command}` : `espalier ${command}`
  if (env["npm_package_name"] !== "espalier") return `npx espalier ${command}`
  // Serving is named by its own script.
  return command === "serve" ? "npm run serve --" : `npm run espalier -- ${command}`
}

/** A text that names commands as `espalier train`, with each as it is {@link typedAs typed} here. */
export const withTyped = (text: string, commands: readonly string[], env: Io["env"]): string =>
  text.replace(/\bespalier ([a-z]+|--help)\b/g, (said, command: string) =>
    commands.includes(command) || command === "--help" ? typedAs(command, env) : said,
  )

/** An error for people: what, and what to do. */
export function describeError(error: unknown): string {
  if (error instanceof EspalierError) return `Error: ${error.message}${error.hint ? `\n${error.hint}` : ""}\n`
  return `Error: ${messageOf(error)}\n`
}
