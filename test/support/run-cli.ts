/**
 * @module A command of the command line in this process, with what it wrote.
 */
import { main } from "../../src/cli/main.ts"

/** How a command ended. */
export interface CliRun {
  readonly code: number
  readonly out: string
  readonly err: string
  /** What it wrote to stdout, read as JSON lines; empty for lines that are none. */
  readonly records: readonly Readonly<Record<string, unknown>>[]
}

/** Runs a command. */
export const runCli = (...args: readonly string[]): Promise<CliRun> => runCliWith({}, ...args)

/** Runs a command with environment variables. */
export async function runCliWith(
  env: Readonly<Record<string, string | undefined>>,
  ...args: readonly string[]
): Promise<CliRun> {
  let [out, err] = ["", ""]
  const io = {
    isTerminal: false,
    columns: () => 80,
    out(text: string) {
      out += text
    },
    err(text: string) {
      err += text
    },
    env,
  }
  const code = await main([...args], io)
  const records = out.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []))
  return { code, out, err, records }
}
