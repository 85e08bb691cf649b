/**
 * @module Streams whose first token is late, on Bun and on Deno: nobody hangs up on them meanwhile. Bun's own server would after
 * 12 seconds without a byte. ESPALIER_TIMES says how many seconds (13 unless it is set).
 */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { sendRaw } from "../../scripts/torture/raw-http.ts"
import { times } from "../support/times.ts"

const seconds = times(13)
const STREAMS = 100
const root = join(import.meta.dir, "..", "..")
const program = join(root, "test", "support", "slow-server.ts")

/** Starts the server under a runtime and has all streams at once. @returns those that reached their end */
async function survivors(command: readonly string[]): Promise<{ whole: number; comments: number }> {
  const child = Bun.spawn([...command, program, String(1000 * seconds)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    cwd: root,
  })
  try {
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
    const url = (await reader.read()).value!.trim()
    const body = { model: "base", prompt: "slow", max_tokens: 3, stream: true }
    const stream = () => sendRaw({ url, path: "/v1/completions", body, timeoutMs: 1000 * seconds + 60_000 })
    const replies = await Promise.all(Array.from({ length: STREAMS }, stream))
    const whole = replies.filter(({ end, status }) => end === "whole" && status === 200)
    const comments = whole.map(({ text }) => text.split(": keep-alive\n\n").length - 1)
    return { whole: whole.length, comments: Math.min(...comments) }
  } finally {
    // The launcher that npm has put there starts Deno as a child of its own: killed, it would leave that running.
    await child.stdin.end()
    await child.exited
  }
}

test(`${STREAMS} streams survive ${seconds} seconds without a token, on Bun and on Deno`, async () => {
  const [bun, deno] = await Promise.all([
    survivors([process.execPath]),
    survivors([join(root, "node_modules", ".bin", "deno"), "run", "--allow-all"]),
  ])
  expect([bun.whole, deno.whole]).toEqual([STREAMS, STREAMS])
  // Something went over each of them meanwhile.
  for (const { comments } of [bun, deno]) expect(comments).toBeGreaterThanOrEqual(1)
}, 300_000)
