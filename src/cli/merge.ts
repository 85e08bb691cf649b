/**
 * @module `espalier merge`.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import { mergeAdapters } from "../merge/merge.ts"
import { type MergeMethod, mergeMethods, type Recipe } from "../merge/recipe.ts"
import { defaultMethod, isWeightless, kindOf, type MergeBase, type MergeSource } from "../merge/source.ts"
import { type OpenBase, openBase } from "../presets/open-base.ts"
import { readAdapter } from "../presets/read-adapter.ts"
import { type MergeResult, mergeFacts, saveMerged } from "../service/save-merged.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { mergeText } from "./merge-text.ts"
import { baseFolder, engineOptions, trainedAdapter } from "./shared-options.ts"

const options = {
  base: engineOptions.base,
  out: { type: "string", value: "folder", description: "where the merged adapter is written" },
  weights: {
    type: "string",
    value: "list",
    description: "a weight for each adapter, such as 0.7,0.3",
    default: "equal parts of 1",
  },
  method: {
    type: "string",
    description: "how they are merged; docs/merging.md says which is for what",
    choices: Object.keys(mergeMethods),
    default: "linear, or svd where the base's weights take part",
  },
  rank: { type: "number", description: "rank of each layer at most", default: "the method's own" },
  error: {
    type: "number",
    value: "part",
    description: "take the least rank that loses no more than this part, such as 0.05",
  },
  density: {
    type: "number",
    value: "part",
    description: "the part of each adapter that ties, dare and magnitude keep",
    default: "0.5",
  },
  seed: { type: "number", description: "decides what dare keeps", default: "0" },
  layers: { type: "boolean", description: "show the error of every layer" },
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

/** An adapter by the name that it goes by in the merge. */
interface Named {
  readonly name: string
  readonly adapter: LoadedAdapter
}

export const mergeCommand = defineCommand({
  name: "merge",
  summary: "Merges adapters of one base into one, and says how far the result is from their true weighted sum.",
  usage: "<adapter> <adapter> ... [options]",
  options,
  examples: [
    "espalier merge adapters-out/answer-card-lora adapters-out/json-report-lora --out adapters-out/both",
    "espalier merge card=adapters-out/answer-card-lora json=adapters-out/json-report-lora --weights 0.7,0.3 --method svd --rank 8 --out adapters-out/both",
    "espalier merge adapters-out/answer-card-lora adapters-out/json-report-lora --method ties --density 0.3 --out adapters-out/both",
  ],
  async run(given, positionals, io) {
    const values = given as Values
    const out = values.out
    if (positionals.length === 0)
      throw new EspalierError("invalid_request", "There is no adapter to merge", {
        hint: "Such as: espalier merge adapters-out/a adapters-out/b --out adapters-out/both",
      })
    if (out === undefined)
      throw new EspalierError("invalid_request", "Where should the merged adapter go?", {
        hint: "Such as: --out adapters-out/both",
        param: "out",
      })
    const open = await openBase(baseFolder(values.base))
    const adapters = await readAll(open, positionals)
    const { sources, recipe } = planOf(values, adapters)
    const merged = await mergeAdapters(sources, recipe, mergeBaseOf(open))
    const result: MergeResult = {
      base: open.base,
      recipe,
      ...merged,
      sources: adapters.map(({ name, adapter: { hash, method } }, i) => ({
        name,
        hash,
        method,
        weight: sources[i]!.weight,
      })),
    }
    await saveMerged(out, result)
    io.out(
      values.json
        ? `${JSON.stringify({ type: "merged", out, ...mergeFacts(result), report: merged.report })}\n`
        : mergeText(out, result, values.layers === true),
    )
    return exitCodes.ok
  },
})

/** Adapters by folder, `name=folder` or name, each checked against the base. */
async function readAll(open: OpenBase, given: readonly string[]): Promise<Named[]> {
  const all: Named[] = []
  for (const text of given) {
    const { name, path } = trainedAdapter(text)
    if (all.some((each) => each.name === name))
      throw new EspalierError("invalid_request", `Two adapters are called "${name}"`, {
        hint: `Give one of them another name: other=${path}`,
      })
    all.push({ name, adapter: await readAdapter(open, path) })
  }
  return all
}

/** What merging needs of an open base. */
const mergeBaseOf = ({ base }: OpenBase): MergeBase => ({
  name: base.name,
  sites: base.architecture.sites(base.config),
  read: (name) => base.read(name),
})

/** Weights and settings, with the defaults that depend on what the adapters are made of. */
function planOf(values: Values, adapters: readonly Named[]): { sources: MergeSource[]; recipe: Recipe } {
  const named = adapters.map(({ name, adapter }) => ({ name, forms: adapter.forms }))
  const kind = kindOf(named)
  const method = (values.method as MergeMethod | undefined) ?? defaultMethod(kind)
  const weights =
    values.weights === undefined
      ? named.map(() => (isWeightless(kind, method) ? 1 : 1 / named.length))
      : parseWeights(values.weights, named.length)
  const { rank, error, density, seed } = values
  return {
    sources: named.map((source, i) => ({ ...source, weight: weights[i]! })),
    recipe: {
      method,
      ...(rank !== undefined && { rank }),
      ...(error !== undefined && { error }),
      ...(density !== undefined && { density }),
      ...(seed !== undefined && { seed }),
    },
  }
}

/** `0.7,0.3` as numbers. @throws {EspalierError} `invalid_request` */
function parseWeights(text: string, count: number): number[] {
  const weights = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)))
  if (weights.length !== count || !weights.every(Number.isFinite))
    throw new EspalierError("invalid_request", `Expected ${count} weights but found ${JSON.stringify(text)}`, {
      hint: "A number for each adapter, with commas between them: --weights 0.7,0.3",
      param: "weights",
    })
  return weights
}
