/**
 * @module What must not happen, tried many times: adapters swapped under load, answers that depend on who else asks, documents
 * lost to a kill or seen by whom they are not for.
 *
 * Usage: bun run torture [--scale 1] [--base models/sprig] [--backend native] [--seed 1] [--json]
 */
import process from "node:process"
import { parseArgs } from "node:util"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import { machine } from "../bench/machine.ts"
import { collectionsApart, killedAdds } from "./documents.ts"
import { hotSwap } from "./hot-swap.ts"
import { invariance } from "./invariance.ts"

const { values } = parseArgs({
  options: {
    scale: { type: "string", default: "1" },
    base: { type: "string", default: "models/sprig" },
    backend: { type: "string", default: "native" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})
const scale = Number(values.scale)
if (values.help || !(scale > 0)) {
  console.log(`Usage: bun run torture [--scale 1] [--base models/sprig] [--backend native] [--seed 1] [--json]

10,000 requests over 1,000 swaps, 1,000 prompts alone and in mixed batches, 1,000 documents added under 20 kills and 10,000
searches side by side, times --scale. Ends with 1 if anything was wrong.`)
  process.exit(values.help ? 0 : 2)
}
const seed = Number(values.seed)
const where = machine()
const { base, tokenizer } = await openBase(values.base)
const { runtime } = await openRuntime(values.backend as BackendName)
if (!tokenizer) throw new TypeError(`Base ${values.base} has no tokenizer`)
const swapped = await hotSwap({
  base,
  runtime,
  tokenizer,
  requests: Math.ceil(10_000 * scale),
  swaps: Math.ceil(1000 * scale),
  clients: 32,
  seed,
})
const alike = await invariance({ base, runtime, prompts: Math.ceil(1000 * scale), seed })
const kills = Math.ceil(20 * scale)
const killed = await killedAdds({ kills, documents: 1000, base: values.base, seed })
const apart = await collectionsApart({ queries: Math.ceil(10_000 * scale), base: values.base, seed })
if (values.json)
  console.log(JSON.stringify({ machine: where, backend: runtime.detail, seed, swapped, alike, killed, apart }))
else
  console.log(
    [
      `${where.cpu}, ${where.cores} cores, ${where.runtime}; ${runtime.name} (${runtime.detail}); seed ${seed}`,
      "",
      "| what | tried | as alone, token by token | rounding between equals | wrong |",
      "|---|---|---|---|---|",
      `| answers under ${swapped.swaps} swaps, of the version that each names | ${swapped.answered} | ${swapped.equal} | ${swapped.ties} | ${swapped.wrong} |`,
      `| greedy answers in mixed batches of 2 to 8 | ${alike.prompts} | ${alike.equal} | ${alike.ties} | ${alike.wrong} |`,
      "",
      "| what | tried | wrong |",
      "|---|---|---|",
      `| documents acknowledged before one of ${killed.kills} kills -9 | ${killed.acknowledged} | ${killed.lost} |`,
      `| documents of 1,000 that were there after it, old or new and whole | ${1000 * killed.kills} | ${killed.half} |`,
      `| searches of one of two collections | ${apart.queries} | ${apart.crossed} |`,
      "",
      `${swapped.notFound} requests found their name gone; ${swapped.cached} prompt tokens were found computed.`,
    ].join("\n"),
  )
await runtime.dispose()
process.exitCode = swapped.wrong + alike.wrong + killed.lost + killed.half + apart.crossed > 0 ? 1 : 0
