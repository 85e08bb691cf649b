/**
 * @module `bench examples`: every bundled data set, learned by LoRA and by a soft prompt over the embedded base, each in
 * a process of its own: held-out answers exactly right before and after, and the time it took.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { packageFolder } from "../../src/cli/shared-options.ts"
import { espalier } from "../espalier.ts"
import { exampleSets } from "../make-examples.ts"
import { machine, machineLine } from "./machine.ts"

/** The options that `espalier train` gets for a method, the same for every set. */
export const recipes: Readonly<Record<string, readonly string[]>> = {
  lora: ["--method", "lora", "--set", "rank=8", "--epochs", "8", "--learning-rate", "0.003"],
  prompt_tuning: [
    "--method",
    "prompt_tuning",
    "--set",
    "virtualTokens=16",
    "--epochs",
    "24",
    "--learning-rate",
    "0.05",
  ],
}

const options = {
  set: { type: "list", value: "name", description: "only these sets", default: "all" },
  method: { type: "string", description: "only this method", choices: Object.keys(recipes) },
  base: { type: "string", value: "folder", description: "the base", default: "the embedded one" },
} as const
type Values = OptionValues<typeof options>

/** What one training said at its end. */
interface Outcome {
  readonly score_before: number
  readonly score_after: number
  readonly questions: number
}

const percent = (part: number): string => `${(100 * part).toFixed(0)} %`.padStart(6)

export const examplesBench = defineCommand({
  name: "examples",
  summary:
    "Every bundled data set by LoRA and by a soft prompt: held-out answers exactly right before and after, and time.",
  usage: "[options]",
  options,
  examples: ["npm run bench -- examples", "npm run bench -- examples --set json-report --method lora --json"],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const before = machine()
    const folder = await mkdtemp(join(tmpdir(), "espalier-bench-"))
    if (!values.json) io.out(`${machineLine(before)}\n`)
    try {
      for (const set of exampleSets) {
        if (values.set && !values.set.includes(set.name)) continue
        for (const [method, recipe] of Object.entries(recipes)) {
          if (values.method && values.method !== method) continue
          const file = (split: string): string =>
            join(packageFolder(), "examples", "data", `${set.name}.${split}.jsonl`)
          const started = performance.now()
          const outcome = await espalier<Outcome>(
            "train",
            ...["--data", file("train"), "--heldout", file("heldout"), "--out", join(folder, `${set.name}-${method}`)],
            ...(values.base ? ["--base", values.base] : []),
            ...recipe,
          )
          const seconds = (performance.now() - started) / 1000
          if (values.json) {
            io.out(
              `${JSON.stringify({ bench: "examples", set: set.name, method, machine: before, seconds, ...outcome })}\n`,
            )
            continue
          }
          io.out(
            `${set.name.padEnd(14)}${method.padEnd(15)}${percent(outcome.score_before)} ->${percent(outcome.score_after)}   ${seconds.toFixed(0).padStart(4)} s\n`,
          )
        }
      }
      return exitCodes.ok
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})
