/**
 * @module `bench decode`: the time of one token at batch 1 and of a prompt, and the memory, over a base of random weights
 * in Llama's layout.
 */
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count } from "../../src/cli/number-range.ts"
import { rng } from "../../src/core/rng.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { formatBytes } from "../../src/train/progress.ts"
import { machine, machineLine, peakMemory } from "./machine.ts"
import { randomBase } from "./random-source.ts"
import { computedBy, shapeOf, shapeOptions } from "./shape-options.ts"
import { summarise, timeRuns } from "./stats.ts"

const options = {
  ...shapeOptions,
  prompt: {
    type: "number",
    range: count(2 ** 20),
    value: "tokens",
    description: "length of the prompt",
    default: "128",
  },
  tokens: { type: "number", range: count(2 ** 20), description: "tokens measured after it", default: "50" },
} as const
type Values = OptionValues<typeof options>

/** Tokens decoded before the first one measured. */
const WARMUP = 5
/** Prompts measured, in sequences of their own. */
const PROMPTS = 5

export const decodeBench = defineCommand({
  name: "decode",
  summary: "Time of a token and of a prompt, and memory, over random weights in Llama's layout: medians after warm-up.",
  usage: "[options]",
  options,
  examples: [
    "npm run bench -- decode",
    "npm run bench -- decode --quantize int8",
    "npm run bench -- decode --backend wasm --tokens 20 --json",
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const shape = shapeOf(values)
    const { backend, threads, quantize } = computedBy(values)
    const [length, count] = [values.prompt ?? 128, values.tokens ?? 50]
    const where = machine()
    const base = await randomBase(shape, quantize)
    const { runtime } = await openRuntime(backend, threads === null ? {} : { threads })
    const decoder = await graphDecoder({ runtime, base })
    const random = rng(0, "bench:tokens")
    const prompt = Array.from({ length }, () => random.below(shape.vocab))
    const read = async (): Promise<void> => {
      const sequence = await decoder.open(null, length)
      await sequence.append(prompt)
      sequence.close()
    }
    const prompts = summarise(await timeRuns(read, { warmup: 1, count: PROMPTS }))
    const sequence = await decoder.open(null, length + WARMUP + count)
    await sequence.append(prompt)
    const step = async (): Promise<void> => void (await sequence.append([random.below(shape.vocab)]))
    const tokens = summarise(await timeRuns(step, { warmup: WARMUP, count }))
    const memory = { resident_bytes: process.memoryUsage.rss(), peak_bytes: peakMemory() }
    sequence.close()
    await decoder.dispose()
    const engine = `${runtime.name} (${runtime.detail}), ${quantize ?? "f32"} weights`
    await runtime.dispose()
    if (values.json) {
      const figures = { ms_per_token: tokens, ms_per_prompt: prompts, weights_bytes: base.weights.size, ...memory }
      io.out(
        `${JSON.stringify({ bench: "decode", ...shape, prompt: length, machine: where, backend: engine, ...figures })}\n`,
      )
      return exitCodes.ok
    }
    io.out(
      [
        machineLine(where),
        engine,
        `hidden ${shape.hidden}, ${shape.layers} layers, vocabulary ${shape.vocab}: weights of ${formatBytes(base.weights.size)}`,
        `${tokens.median.toFixed(1)} ms a token (${tokens.least.toFixed(1)} to ${tokens.most.toFixed(1)} over ${count}), ${(1000 / tokens.median).toFixed(0)} tokens/s`,
        `${prompts.median.toFixed(0)} ms a prompt of ${length} tokens, ${((1000 * length) / prompts.median).toFixed(0)} tokens/s`,
        `resident ${formatBytes(memory.resident_bytes)}, at the peak ${formatBytes(memory.peak_bytes)}`,
        "",
      ].join("\n"),
    )
    return exitCodes.ok
  },
})
