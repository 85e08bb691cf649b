/**
 * @module `bun run bench <what>`: measurements, never tests. Each prints its machine, medians and every sample.
 */
import { parseArgs } from "node:util"
import { messageOf } from "../../src/core/errors.ts"
import type { BackendName } from "../../src/runtime/runtime.ts"
import { machine } from "./machine.ts"
import { benchTrain } from "./train.ts"

const usage = `Usage: bun run bench train [--hidden 576] [--layers 30] [--heads 9] [--kv-heads 3] [--intermediate 1536] [--vocab 49152]
                       [--batch 4] [--length 128] [--labelled 1] [--method lora] [--rank 8] [--targets all|q_proj,v_proj]
                       [--backend native|wasm|webgpu] [--threads n] [--steps 7] [--warmup 2] [--json]

Times whole optimizer steps on random weights. --labelled is the part of each row that counts in the loss: prompts are
masked in instruction tuning, and their logits are then never computed.

Examples: bun run bench train --labelled 0.25
          bun run bench train --hidden 256 --layers 6 --heads 4 --kv-heads 2 --intermediate 768 --vocab 8192 --batch 8 --backend wasm`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    hidden: { type: "string", default: "576" },
    layers: { type: "string", default: "30" },
    heads: { type: "string", default: "9" },
    "kv-heads": { type: "string", default: "3" },
    intermediate: { type: "string", default: "1536" },
    vocab: { type: "string", default: "49152" },
    batch: { type: "string", default: "4" },
    length: { type: "string", default: "128" },
    labelled: { type: "string", default: "1" },
    method: { type: "string", default: "lora" },
    rank: { type: "string", default: "8" },
    targets: { type: "string", default: "all" },
    backend: { type: "string", default: "native" },
    threads: { type: "string" },
    steps: { type: "string", default: "7" },
    warmup: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})

if (values.help || positionals[0] !== "train") {
  console.log(usage)
  process.exit(values.help ? 0 : 2)
}

try {
  const result = await benchTrain({
    shape: {
      hidden: Number(values.hidden),
      layers: Number(values.layers),
      heads: Number(values.heads),
      kvHeads: Number(values["kv-heads"]),
      intermediate: Number(values.intermediate),
      vocab: Number(values.vocab),
    },
    batch: Number(values.batch),
    length: Number(values.length),
    labelled: Number(values.labelled),
    method: values.method,
    rank: Number(values.rank),
    targets: values.targets,
    backend: values.backend as BackendName | "auto",
    threads: values.threads === undefined ? null : Number(values.threads),
    steps: Number(values.steps),
    warmup: Number(values.warmup),
  })
  const record = { ...machine(), ...result }
  if (values.json) console.log(JSON.stringify(record))
  else
    for (const [key, value] of Object.entries(record))
      console.log(`${key.padEnd(20)}${Array.isArray(value) ? value.join(" ") : value}`)
  process.exit(0)
} catch (error) {
  console.error(`Error: ${messageOf(error)}`)
  process.exit(1)
}
