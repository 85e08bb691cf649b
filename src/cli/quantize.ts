/**
 * @module `espalier quantize`.
 */
import { readFile } from "node:fs/promises"
import { decodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { scoreSuite } from "../eval/score-suite.ts"
import type { SuiteText } from "../eval/suite.ts"
import { type Quantization, quantizations } from "../models/quantization.ts"
import { quantizationErrors, type WeightError } from "../models/quantization-error.ts"
import { type OpenBase, openBase } from "../presets/open-base.ts"
import { openRuntime } from "../presets/open-runtime.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { formatBytes } from "../train/progress.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { openRetention } from "./retention-suite.ts"
import { baseFolder, engineOptions } from "./shared-options.ts"

const options = {
  base: engineOptions.base,
  to: { type: "string", description: "what the weights are held as", choices: quantizations, default: "int8" },
  text: {
    type: "string",
    value: "file",
    description: "a text that perplexity is measured on",
    default: "texts of the base's suite, or of the bundled one",
  },
  layers: { type: "boolean", description: "show the error of every weight" },
  threads: engineOptions.threads,
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

/** Texts that perplexity is measured on unless another one is given. */
const TEXTS = 24

export const quantizeCommand = defineCommand({
  name: "quantize",
  summary:
    "Holds a base's weights in fewer bits, keeps them in the cache for --quantize, and says what it costs: the error of each layer, and perplexity before and after.",
  usage: "[options]",
  options,
  examples: ["espalier quantize --to int4 --layers", "espalier quantize --base path/to/model --to int8 --json"],
  async run(given, _positionals, io) {
    const values = given as Values
    const to = (values.to ?? "int8") as Quantization
    const folder = baseFolder(values.base)
    const plain = await openBase(folder)
    const held = await openBase(folder, { quantize: to })
    const weights: WeightError[] = []
    for await (const weight of quantizationErrors(plain.base, to)) weights.push(weight)
    if (weights.length === 0)
      throw new EspalierError("unsupported", `No weight of base "${plain.base.name}" can be held as ${to}`, {
        hint: "Rows must be whole blocks of 32 numbers",
      })
    const texts = await textsOf(values.text, folder)
    const before = await perplexityOf(plain, texts, values.threads)
    const after = await perplexityOf(held, texts, values.threads)
    const bytes = { f32: plain.base.weights.size, held: held.base.weights.size }
    const error = total(weights)
    const perplexity = before === null || after === null ? null : { before, after }
    if (values.json) {
      const { path } = held.base.weights
      io.out(
        `${JSON.stringify({ type: "quantized", base: plain.base.name, to, path, bytes, error, perplexity, weights })}\n`,
      )
      return exitCodes.ok
    }
    const percent = (part: number): string => `${(100 * part).toPrecision(3)} %`
    io.out(`${printable(plain.base.name)} as ${to}: ${formatBytes(bytes.held)}, and ${formatBytes(bytes.f32)} as f32\n`)
    io.out(`Lost of ${weights.length} weights: ${percent(error)}\n`)
    const shown = values.layers ? weights : [...weights].sort((a, b) => b.relative - a.relative).slice(0, 3)
    if (!values.layers) io.out("Most of:\n")
    for (const { name, bits, relative } of shown) io.out(`  ${name}  ${bits} bits  ${percent(relative)}\n`)
    if (perplexity)
      io.out(
        `Perplexity: ${perplexity.before.toFixed(3)} before, ${perplexity.after.toFixed(3)} after (${percent(perplexity.after / perplexity.before - 1)})\n`,
      )
    io.out(`Kept for --quantize ${to}\n`)
    return exitCodes.ok
  },
})

/** The root mean square of the errors, each weight by its size. */
function total(weights: readonly WeightError[]): number {
  const size = weights.reduce((sum, each) => sum + each.size, 0)
  return Math.sqrt(weights.reduce((sum, { relative, size }) => sum + size * relative ** 2, 0) / size)
}

async function textsOf(given: string | undefined, folder: string): Promise<SuiteText[]> {
  if (given === undefined) {
    const suite = await openRetention(undefined, undefined, folder)
    const texts = (suite?.suite.items ?? []).filter((item): item is SuiteText => "text" in item)
    return texts.slice(0, TEXTS)
  }
  const bytes = await readFile(given).catch((cause: unknown) => {
    throw new EspalierError("not_found", `There is no readable file ${given}`, { param: "text", cause })
  })
  const text = decodeUtf8(bytes)
  if (text.trim() === "")
    throw new EspalierError("invalid_file", `${given} is empty, where a text was expected`, { param: "text" })
  return [{ family: "text", line: 1, text }]
}

/** Perplexity of texts; null for a base without a tokenizer, and without texts. */
async function perplexityOf(
  { base, tokenizer, eosIds }: OpenBase,
  texts: readonly SuiteText[],
  threads: number | undefined,
): Promise<number | null> {
  if (!tokenizer || texts.length === 0) return null
  const { runtime } = await openRuntime("auto", threads === undefined ? {} : { threads })
  try {
    const decoder = await graphDecoder({ runtime, base })
    try {
      const { text } = await scoreSuite(texts, { decoder, adapter: null, tokenizer, eosIds })
      return text?.perplexity ?? null
    } finally {
      await decoder.dispose()
    }
  } finally {
    await runtime.dispose()
  }
}
