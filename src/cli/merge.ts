/**
 * @module `espalier merge`.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import { isElementwise } from "../merge/combine.ts"
import { fuseAdapters } from "../merge/fuse.ts"
import { mergeAdapters } from "../merge/merge.ts"
import { type MergeMethod, mergeMethods, type Recipe } from "../merge/recipe.ts"
import { defaultMethod, isWeightless, kindOf, type MergeBase, type MergeSource } from "../merge/source.ts"
import { type OpenBase, openBase } from "../presets/open-base.ts"
import { readAdapter } from "../presets/read-adapter.ts"
import { type MergedSource, type MergeResult, mergeFacts, saveMerged } from "../service/save-merged.ts"
import { saveFused } from "../service/save-merged-base.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { readHeldOut, type ScoreTable, scoreMerge, scoreText } from "./merge-scores.ts"
import { mergeText } from "./merge-text.ts"
import { above, between, count, seeds } from "./number-range.ts"
import { baseFolder, engineOptions, trainedAdapter } from "./shared-options.ts"
import { stackBases } from "./stack-bases.ts"

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
  rank: {
    type: "number",
    range: count(65_536),
    description: "rank of each layer at most",
    default: "the method's own",
  },
  error: {
    type: "number",
    range: between(0, 1),
    value: "part",
    description: "take the least rank that loses no more than this part, such as 0.05",
  },
  density: {
    type: "number",
    range: above(0, 1),
    value: "part",
    description: "the part of each adapter that ties, dare and magnitude keep",
    default: "0.5",
  },
  seed: { type: "number", range: seeds, description: "decides what dare keeps", default: "0" },
  force: {
    type: "boolean",
    description: "merge adapters that --max-forgetting held back, or that were trained on another base, too",
  },
  layers: { type: "boolean", description: "show the error of every layer" },
  score: { type: "boolean", description: "answer the questions of --data, with the merge, its sources and the base" },
  data: {
    type: "list",
    value: "name=file",
    description: "held-out questions of one source; may be given several times",
  },
  limit: { type: "number", range: count(), description: "questions of a file at most" },
  search: { type: "boolean", description: "try a small grid of weights too, and keep those with the best mean score" },
  backend: engineOptions.backend,
  threads: engineOptions.threads,
  fuse: { type: "boolean", description: "write a base with the adapters added to its weights, instead of an adapter" },
  stack: {
    type: "list",
    value: "base:layers",
    description: "write a base made of these layers, such as models/a:0-3,5; given several times, one after the other",
  },
} as const
/** Options of `espalier merge`. */
export type MergeValues = OptionValues<typeof options> & { readonly json?: boolean }

/** An adapter by the name that it goes by in the merge. */
interface Named {
  readonly name: string
  readonly adapter: LoadedAdapter
}

export const mergeCommand = defineCommand({
  name: "merge",
  summary:
    "Merges adapters of one base into one, or into the base, and says how far the result is from their true weighted sum; or stacks layers of bases.",
  usage: "<adapter> ... [options]",
  options,
  examples: [
    "espalier merge adapters-out/answer-card-lora adapters-out/json-report-lora --out adapters-out/both",
    "espalier merge card=adapters-out/answer-card-lora json=adapters-out/json-report-lora --weights 0.7,0.3 --method svd --rank 8 --out adapters-out/both",
    "espalier merge adapters-out/answer-card-lora adapters-out/json-report-lora --method ties --density 0.3 --out adapters-out/both",
    "espalier merge card=adapters-out/answer-card-lora json=adapters-out/json-report-lora --score --data card=examples/data/answer-card.heldout.jsonl --data json=examples/data/json-report.heldout.jsonl --search --out adapters-out/both",
    "espalier merge adapters-out/answer-card-lora --fuse --out models/sprig-card",
    "espalier merge --stack models/sprig:0-3 --stack models/sprig:2-5 --out models/sprig-deeper",
  ],
  async run(given, positionals, io) {
    const values = given as MergeValues
    const { out } = values
    if (positionals.length === 0 && !values.stack)
      throw new EspalierError("invalid_request", "There is no adapter to merge", {
        hint: "Such as: espalier merge adapters-out/a adapters-out/b --out adapters-out/both",
      })
    if (out === undefined)
      throw new EspalierError("invalid_request", "Where should the result go?", {
        hint: "Such as: --out adapters-out/both",
        param: "out",
      })
    if (values.stack) return stackBases(out, values.stack, positionals, values, io)
    const scoring = values.score === true || values.search === true || values.data !== undefined
    if (scoring && values.fuse)
      throw new EspalierError("invalid_request", "A fused base is scored by espalier eval, not here", {
        hint: `Leave --score out, then: espalier eval --base ${out}`,
        param: "score",
      })
    const heldOut = scoring ? await readHeldOut(values) : null
    const path = baseFolder(values.base)
    const open = await openBase(path)
    const adapters = await readAll(open, positionals, values.force === true)
    const { sources, recipe } = planOf(values, adapters)
    const base = mergeBaseOf(open)
    if (values.fuse) {
      const described = { base: open.base, recipe, sources: sourceFacts(adapters, sources) }
      const fused = await fuseAdapters(sources, recipe, base)
      await saveFused(out, fused, described, path)
      show(io, values, { ...described, forms: [], report: fused.report }, null)
      return exitCodes.ok
    }
    const weighted = (weights: readonly number[]) => sources.map((source, i) => ({ ...source, weight: weights[i]! }))
    let merged = await mergeAdapters(sources, recipe, base)
    let chosen: readonly MergeSource[] = sources
    let scores: ScoreTable | null = null
    if (heldOut) {
      const given = sources.map(({ weight }) => weight)
      const merge = async (weights: readonly number[]) => (await mergeAdapters(weighted(weights), recipe, base)).forms
      scores = await scoreMerge(values, open, heldOut, adapters, given, merge)
      chosen = weighted(scores.weights)
      merged = await mergeAdapters(chosen, recipe, base)
    }
    const result: MergeResult = {
      base: open.base,
      recipe,
      ...merged,
      sources: sourceFacts(adapters, chosen),
      ...(scores && { scores: { files: scores.files, models: scores.models } }),
    }
    await saveMerged(out, result)
    show(io, values, result, scores)
    return exitCodes.ok
  },
})

/** Tells what was made. */
function show(io: Io, values: MergeValues, result: MergeResult, scores: ScoreTable | null): void {
  const out = values.out!
  const fused = values.fuse === true
  if (values.json) {
    const line = { type: fused ? "fused" : "merged", out, ...mergeFacts(result), report: result.report }
    io.out(`${JSON.stringify(scores ? { ...line, scores } : line)}\n`)
    return
  }
  if (scores) io.out(`${scoreText(scores)}\n`)
  io.out(mergeText(out, result, { layers: values.layers === true, fused, env: io.env }))
}

/** What espalier.json says of the sources. */
const sourceFacts = (adapters: readonly Named[], sources: readonly MergeSource[]): MergedSource[] =>
  adapters.map(({ name, adapter: { hash, method } }, i) => ({ name, hash, method, weight: sources[i]!.weight }))

/** Adapters by folder, `name=folder` or name, each checked against the base, and none that was held back unless forced. */
async function readAll(open: OpenBase, given: readonly string[], force: boolean): Promise<Named[]> {
  const all: Named[] = []
  for (const text of given) {
    const { name, path } = trainedAdapter(text)
    if (all.some((each) => each.name === name))
      throw new EspalierError("invalid_request", `Two adapters are called "${name}"`, {
        hint: `Give one of them another name: other=${path}`,
      })
    all.push({ name, adapter: await readAdapter(open, path, { promotedOnly: !force, anyBase: force }) })
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
function planOf(values: MergeValues, adapters: readonly Named[]): { sources: MergeSource[]; recipe: Recipe } {
  const named = adapters.map(({ name, adapter }) => ({ name, forms: adapter.forms }))
  // Whatever changes weights can be fused together; one adapter out of several is made of one kind.
  const kind = values.fuse ? null : kindOf(named)
  const method = (values.method as MergeMethod | undefined) ?? (kind ? defaultMethod(kind) : "linear")
  const weights =
    values.weights === undefined
      ? named.map(() => (kind && isWeightless(kind, method) ? 1 : 1 / named.length))
      : parseWeights(values.weights, named.length)
  const { rank, error, density, seed } = values
  return {
    sources: named.map((source, i) => ({ ...source, weight: weights[i]! })),
    recipe: {
      method,
      ...(rank !== undefined && { rank }),
      ...(error !== undefined && { error }),
      ...(isElementwise(method) && { density: density ?? 0.5, seed: seed ?? 0 }),
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
