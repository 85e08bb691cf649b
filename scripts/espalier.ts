/**
 * @module Runs `espalier` in a process of its own, so that memory and time are those of one run alone.
 */
import { spawn } from "node:child_process"
import { join } from "node:path"
import process from "node:process"
import { packageFolder } from "../src/cli/shared-options.ts"
import { EspalierError } from "../src/core/errors.ts"

/**
 * The last record that a command writes with --json.
 * @throws {EspalierError} `internal` if it fails; its message has gone to standard error
 */
export async function espalier<T>(...args: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, [join(packageFolder(), "src", "cli", "main.ts"), ...args, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let text = ""
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", resolve)
  })
  if (code !== 0)
    throw new EspalierError("internal", `espalier ${args.join(" ")} ended with ${code}; its message is above`)
  return JSON.parse(text.trim().split("\n").at(-1)!) as T
}
