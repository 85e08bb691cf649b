/**
 * @module Benchmarks, with the machine they ran on: `npm run bench -- train --hidden 576 --layers 30`.
 */
import { methods } from "../../adapters/mod.ts"
import { defineCommand, exitCodeOf, exitCodes, helpOf, type OptionValues, parseOptions } from "../../src/cli/command.ts"
import { describeError, processIo } from "../../src/cli/io.ts"
import { above, count, from, whole } from "../../src/cli/number-range.ts"
import { EspalierError } from "../../src/core/errors.ts"
import { formatBytes, formatCount } from "../../src/train/progress.ts"
import { decodeBench } from "./decode.ts"
import { examplesBench } from "./examples.ts"
import { firstTokenBench } from "./first-token.ts"
import { machine, machineLine } from "./machine.ts"
import { memoryBench } from "./memory.ts"
import { ragBench } from "./rag.ts"
import { registeredBench } from "./registered.ts"
import { serveBench } from "./serve.ts"
import { computedBy, shapeOf, shapeOptions } from "./shape-options.ts"
import { sprigBench } from "./sprig.ts"
import { swapBench } from "./swap.ts"
import { benchTrain, type TrainBench } from "./train.ts"
import { workerBench } from "./worker.ts"

const options = {
  ...shapeOptions,
  batch: { type: "number", range: count(65_536), description: "rows of a batch", default: "4" },
  length: { type: "number", range: whole(2, 2 ** 20), value: "tokens", description: "length of a row", default: "128" },
  labelled: {
    type: "number",
    range: above(0, 1),
    description: "the part of positions that counts in the loss",
    default: "1",
  },
  method: { type: "string", description: "method", choices: methods.map(({ name }) => name), default: "lora" },
  rank: { type: "number", range: count(65_536), description: "LoRA's rank", default: "8" },
  targets: { type: "string", description: "LoRA's target layers: all, or names with commas", default: "all" },
  dropout: { type: "number", range: from(0, 1), description: "LoRA's dropout", default: "0" },
  "virtual-tokens": {
    type: "number",
    range: count(65_536),
    description: "prompt tuning's virtual tokens",
    default: "16",
  },
  steps: { type: "number", range: count(1e6), description: "steps measured", default: "7" },
  warmup: { type: "number", range: whole(0, 1e6), description: "steps before the first one measured", default: "2" },
} as const
type Values = OptionValues<typeof options>

const trainBench = defineCommand({
  name: "train",
  summary: "Time and memory of a training step over random weights in Llama's layout: the median after warm-up.",
  usage: "[options]",
  options,
  examples: [
    "npm run bench -- train",
    "npm run bench -- train --labelled 0.25",
    "npm run bench -- train --hidden 256 --layers 6 --heads 4 --kv-heads 2 --intermediate 688 --vocab 8192 --batch 8",
    "npm run bench -- train --quantize int8",
    "npm run bench -- train --backend wasm --threads 2 --json",
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const bench = benchOf(values)
    const before = machine()
    const figures = await benchTrain(bench)
    if (values.json) {
      io.out(`${JSON.stringify({ bench: "train", ...bench, machine: before, ...figures })}\n`)
      return exitCodes.ok
    }
    const { median, least, most, count } = figures.ms_per_step
    io.out(
      [
        machineLine(before),
        `${figures.backend}`,
        `hidden ${bench.hidden}, ${bench.layers} layers, vocabulary ${bench.vocab}: ${formatCount(figures.parameters)} parameters, ${formatCount(figures.trainable)} of them trained by ${bench.method}`,
        `${bench.batch} x ${bench.length} tokens, ${Math.round(100 * bench.labelled)} % of them in the loss`,
        `${median.toFixed(1)} ms a step (${least.toFixed(1)} to ${most.toFixed(1)} over ${count}), ${figures.tokens_per_second.toFixed(0)} tokens/s, peak memory ${formatBytes(figures.peak_rss_bytes)}`,
        "",
      ].join("\n"),
    )
    return exitCodes.ok
  },
})

function benchOf(values: Values): TrainBench {
  const method = values.method ?? "lora"
  const targets = values.targets ?? "all"
  const settings: Record<string, Record<string, unknown>> = {
    lora: {
      rank: values.rank ?? 8,
      dropout: values.dropout ?? 0,
      targets: targets === "all" ? "all-linear" : targets.split(",").map((name) => name.trim()),
    },
    prompt_tuning: { virtualTokens: values["virtual-tokens"] ?? 16 },
  }
  return {
    ...shapeOf(values),
    batch: values.batch ?? 4,
    length: values.length ?? 128,
    labelled: values.labelled ?? 1,
    method,
    settings: settings[method] ?? {},
    ...computedBy(values),
    steps: values.steps ?? 7,
    warmup: values.warmup ?? 2,
  }
}

const benches = [
  trainBench,
  decodeBench,
  ragBench,
  serveBench,
  registeredBench,
  swapBench,
  examplesBench,
  firstTokenBench,
  memoryBench,
  sprigBench,
  workerBench,
]
const io = processIo()
try {
  const [name, ...rest] = process.argv.slice(2)
  const bench = benches.find((each) => each.name === name)
  if (!bench) {
    throw new EspalierError("invalid_request", name ? `There is no benchmark "${name}"` : "Which benchmark?", {
      hint: `Known: ${benches.map((each) => each.name).join(", ")}`,
    })
  }
  const { values, positionals } = parseOptions(bench, rest)
  if ("help" in values && values["help"]) io.out(`${helpOf(bench, "npm run bench --")}\n`)
  else process.exitCode = await bench.run(values, positionals, io)
} catch (error) {
  io.err(describeError(error))
  process.exitCode = exitCodeOf(error)
}
