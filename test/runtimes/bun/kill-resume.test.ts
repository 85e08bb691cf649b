/**
 * @module kill -9 at random moments of a real training run: each time it is resumed, and at the end the adapter has the
 * same bytes as that of a run that nobody disturbed, dropout and all. ESPALIER_TIMES says how many kills (3 unless it is set).
 */
import { afterAll, expect, test } from "bun:test"
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rng } from "../../../src/core/rng.ts"
import { times } from "../../support/times.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-kill-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const kills = times(3)
const main = join(import.meta.dir, "..", "..", "..", "src", "cli", "main.ts")
const args = (out: string) => [
  main,
  "train",
  "--steps",
  "14",
  "--batch-size",
  "4",
  "--checkpoint-every",
  "1",
  "--evaluate-every",
  "5",
  "--no-score",
  "--lora-dropout",
  "0.1",
  "--backend",
  "native",
  "--threads",
  "2",
  "--seed",
  "5",
  "--out",
  out,
  "--resume",
]

/** Runs to the end, or kills after so many milliseconds. @returns the exit code, null if it was killed */
function run(out: string, killAfterMs: number | null): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args(out), { stdio: ["ignore", "ignore", "pipe"] })
    let errors = ""
    child.stderr.on("data", (data) => {
      errors += data
    })
    const timer = killAfterMs === null ? null : setTimeout(() => child.kill("SIGKILL"), killAfterMs)
    child.on("error", reject)
    child.on("close", (code) => {
      if (timer) clearTimeout(timer)
      if (code !== 0 && code !== null) reject(new Error(`The run ended with ${code}: ${errors}`))
      else resolve(code)
    })
  })
}

/** sha256 of every file of a folder. */
const hashes = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((file) => [
        file,
        createHash("sha256")
          .update(readFileSync(join(folder, file)))
          .digest("hex"),
      ]),
  )

test(`${kills} runs that were killed end in the bytes of one that was not`, async () => {
  const started = performance.now()
  expect(await run(join(root, "whole"), null)).toBe(0)
  const wholeMs = performance.now() - started
  const wanted = hashes(join(root, "whole"))
  expect(Object.keys(wanted)).toContain("adapter_model.safetensors")

  const random = rng(Number(process.env["ESPALIER_SEED"] ?? 1), "kills")
  let killed = 0
  for (let i = 0; killed < kills; i++) {
    const out = join(root, `killed-${i}`)
    const code = await run(out, random.next() * wholeMs)
    if (code === null) killed++
    // The same command again: from the checkpoint where there is one, from the start where the kill came before it.
    if (code === null) expect(await run(out, null)).toBe(0)
    expect(hashes(out)).toEqual(wanted)
  }
}, 7_200_000)
