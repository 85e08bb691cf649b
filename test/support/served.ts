/**
 * @module `espalier serve` as a process of its own that can be killed, with the official client for it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import OpenAI from "openai"

/** A server in a process. */
export interface Served {
  readonly client: OpenAI
  readonly url: string
  readonly child: ChildProcess
  /** Its exit code; null once it was killed. */
  readonly ended: Promise<number | null>
  /** What it wrote to stderr. */
  errors(): string
}

const main = join(import.meta.dir, "..", "..", "src", "cli", "main.ts")

/** Starts a server over a store and waits until it listens. */
export async function startServed(store: string, ...options: readonly string[]): Promise<Served> {
  const args = [main, "serve", "--json", "--port", "0", "--store", store, "--backend", "native", "--threads", "1"]
  const quick = ["--train-threads", "1", "--shutdown-delay", "0"]
  const child = spawn(process.execPath, [...args, ...quick, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  let errors = ""
  child.stderr!.on("data", (data) => {
    errors += data
  })
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  const url = await new Promise<string>((resolve, reject) => {
    let out = ""
    child.stdout!.on("data", (data) => {
      out += data
      const line = out.split("\n").find((each) => each.includes('"listening"'))
      if (line) resolve((JSON.parse(line) as { url: string }).url)
    })
    ended.then((code) => reject(new Error(`The server ended with ${code}: ${errors}`)))
  })
  const client = new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 })
  return { client, url, child, ended, errors: () => errors }
}
