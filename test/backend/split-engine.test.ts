/**
 * @module The engine in two parts computes what it computes whole, to the bit: with what answering needs compiled first, and with
 * next to nothing, so that all of it crosses the cut. See `src/runtime/split-wasm.ts`.
 */
import { expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../support/engine-answers.ts", import.meta.url))

interface Answers {
  readonly hash: string
  readonly afterAnswers: number
  readonly onTheSpot: number
}

function answers(how: string): Answers {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, how], { encoding: "utf8" })
  if (status !== 0) throw new Error(`${how}: ${stderr}`)
  return JSON.parse(stdout) as Answers
}

test("an engine in two parts gives the bits of the whole, and answers without its second part", () => {
  const whole = answers("whole")
  expect(whole).toMatchObject({ afterAnswers: 0, onTheSpot: 0 })
  // Training has operators of its own.
  expect(answers("hot")).toEqual({ hash: whole.hash, afterAnswers: 0, onTheSpot: 1 })
  expect(answers("cold")).toEqual({ hash: whole.hash, afterAnswers: 1, onTheSpot: 1 })
  expect(answers("stranger")).toEqual(whole)
}, 120_000)
