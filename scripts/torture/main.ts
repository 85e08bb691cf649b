/**
 * @module What must not happen, tried many times: answers of another's adapter, streams that wait for a swap, documents and jobs
 * lost to a kill, requests that hang, servers that fall over under load.
 *
 * Usage: bun run torture [--part name] [--scale 1] [--base models/sprig] [--backend native] [--seed 1] [--json]
 */
import process from "node:process"
import { parseArgs } from "node:util"
import type { BackendName } from "../../src/runtime/runtime.ts"
import { machine } from "../bench/machine.ts"
import { answers } from "./answers.ts"
import { documents } from "./documents-part.ts"
import { faultParts } from "./faults.ts"
import { load } from "./load.ts"
import { swapsPart } from "./swaps-part.ts"

const parts = [answers, swapsPart, documents, load, faultParts]

const { values } = parseArgs({
  options: {
    part: { type: "string", multiple: true },
    scale: { type: "string", default: "1" },
    base: { type: "string", default: "models/sprig" },
    backend: { type: "string", default: "native" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})
const scale = Number(values.scale)
const wanted = values.part ?? parts.map(({ name }) => name)
const unknown = wanted.some((name) => !parts.some((part) => part.name === name))
if (values.help || unknown || !(scale > 0)) {
  console.log(`Usage: bun run torture [--part name] [--scale 1] [--base models/sprig] [--backend native] [--seed 1] [--json]

Parts, all of them unless some are named:
${parts.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join("\n")}

Counts are times --scale. Ends with 1 if anything was wrong.`)
  process.exit(values.help ? 0 : 2)
}
const seed = Number(values.seed)
const where = machine()
const settings = { scale, base: values.base, backend: values.backend as BackendName, seed }
if (!values.json) console.log(`${where.cpu}, ${where.cores} cores, ${where.runtime}; seed ${seed}`)
const found: Record<string, object> = {}
let wrong = 0
for (const part of parts.filter(({ name }) => wanted.includes(name))) {
  const report = await part.run(settings)
  found[part.name] = report.figures
  wrong += report.wrong
  if (!values.json) console.log(["", ...report.lines].join("\n"))
}
if (values.json) console.log(JSON.stringify({ machine: where, seed, wrong, ...found }))
process.exitCode = wrong > 0 ? 1 : 0
