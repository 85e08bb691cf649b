/**
 * @module `espalier serve` as a process of its own, which can be measured, told to stop and killed.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** A server in a process. */
export interface ServedProcess {
  readonly url: string
  readonly child: ChildProcess
  /** Its exit code; null once it was killed. */
  readonly ended: Promise<number | null>
  /** What it wrote to stderr. */
  errors(): string
}

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

/** Starts a server on one thread, which trains on another, and waits until it has loaded. */
export async function spawnServed(...options: readonly string[]): Promise<ServedProcess> {
  const small = ["--backend", "native", "--threads", "1", "--train-threads", "1", "--shutdown-delay", "0"]
  const child = spawn(process.execPath, [main, "serve", "--json", "--port", "0", ...small, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  let errors = ""
  child.stderr.on("data", (data) => {
    errors += data
  })
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  const url = await new Promise<string>((resolve, reject) => {
    let out = ""
    child.stdout.on("data", (data) => {
      out += data
      const line = out.split("\n").find((each) => each.includes('"listening"'))
      if (line) resolve((JSON.parse(line) as { url: string }).url)
    })
    ended.then((code) => reject(new Error(`The server ended with ${code}: ${errors}`)))
  })
  return { url, child, ended, errors: () => errors }
}

/** Bytes of memory that a process has resident; of Linux only. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1])
}

/** Files and sockets that a process has open; of Linux only. */
export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
