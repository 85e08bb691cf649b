/**
 * @module `espalier eval`.
 */
import { existsSync } from "node:fs"
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { compareScores } from "../eval/compare-scores.ts"
import { type SuiteScores, scoreSuite } from "../eval/score-suite.ts"
import { readSuite, type Suite, selectItems } from "../eval/suite.ts"
import { suiteTable } from "../eval/suite-table.ts"
import { type OpenBase, openBase } from "../presets/open-base.ts"
import { openRuntime } from "../presets/open-runtime.ts"
import { readAdapter } from "../presets/read-adapter.ts"
import { checkContext } from "../presets/served-context.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { evaluateRag } from "./eval-rag.ts"
import { printable } from "./io.ts"
import { count } from "./number-range.ts"
import { engineOptions, engineSettings, packageFolder, trainedAdapter } from "./shared-options.ts"

const options = {
  suite: {
    type: "string",
    value: "file",
    description: "JSONL items to score by; sprig is the one that comes with the embedded base",
    default: "sprig",
  },
  ...engineOptions,
  adapter: {
    type: "list",
    value: "folder",
    description: "an adapter to compare with the base, also as name=folder or by its name; may be given several times",
  },
  family: { type: "list", value: "name", description: "only this family of items; may be given several times" },
  limit: { type: "number", range: count(), description: "items of a family at most" },
  rag: {
    type: "boolean",
    description: "measure retrieval instead: answers with documents and without, the router, abstention",
  },
  "rag-set": {
    type: "string",
    value: "folder",
    description: "its heldout.documents.jsonl and heldout.questions.jsonl",
    default: "the embedded base's",
  },
  form: { type: "string", value: "json|pattern", description: "with --rag: what answers should look like" },
} as const
type Values = OptionValues<typeof options>

/** A model of the comparison; the base comes first. */
interface Scored {
  readonly name: string
  /** The adapter's content hash; null for the base. */
  readonly adapter: string | null
  readonly scores: SuiteScores
}

export const evalCommand = defineCommand({
  name: "eval",
  summary: "Scores a base, and adapters over it, on held-out items: exact answers, abstention, perplexity.",
  usage: "[options]",
  options,
  examples: [
    "espalier eval",
    "espalier eval --adapter adapters-out/answer-card-lora --limit 20",
    "espalier eval --rag --adapter adapters-out/answer-card-lora",
    "espalier eval --suite my-suite.jsonl --base path/to/model --json",
  ],
  async run(given, positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    if (positionals.length > 0)
      throw new EspalierError("invalid_request", `Expected options only but found ${JSON.stringify(positionals[0])}`, {
        hint: `Such as: espalier eval --adapter ${positionals[0]}`,
      })
    if (values.rag) {
      return evaluateRag(
        {
          engine: { ...engineSettings(values), force: true },
          adapters: values.adapter ?? [],
          json: values.json === true,
          ...(values["rag-set"] !== undefined && { set: values["rag-set"] }),
          ...(values.limit !== undefined && { limit: values.limit }),
          ...(values.form !== undefined && { form: values.form }),
        },
        io,
      )
    }
    const suite = await openSuite(values.suite ?? "sprig")
    const items = selectItems(suite, {
      ...(values.family && { families: values.family }),
      ...(values.limit !== undefined && { limit: values.limit }),
    })
    const adapters = (values.adapter ?? []).map((text) => trainedAdapter(text))
    const { base: folder, backend, threads, contextLength, quantize } = engineSettings(values)
    const { runtime } = await openRuntime(backend, threads === undefined ? {} : { threads })
    const open = await openBase(folder, quantize ? { quantize } : {})
    if (!open.tokenizer)
      throw new EspalierError("unsupported", `Base "${open.base.name}" has no tokenizer.json, so it can't be scored`)
    const { tokenizer, eosIds } = open
    if (contextLength !== undefined) checkContext(contextLength, open.base, tokenizer)
    const loaded = []
    // A wrong adapter is found before the base has been scored.
    for (const { name, path } of adapters) loaded.push({ name, adapter: await readAdapter(open, path) })
    const decoder = await graphDecoder({
      runtime,
      base: open.base,
      ...(contextLength !== undefined && { contextLength }),
    })
    const models: Scored[] = []
    for (const { name, adapter } of [{ name: open.base.name, adapter: null }, ...loaded]) {
      const bound = adapter && (await decoder.bind(adapter))
      const onProgress = progress(io, values.json === true, name)
      const scores = await scoreSuite(items, { decoder, tokenizer, eosIds, adapter: bound, onProgress })
      models.push({ name, adapter: adapter?.hash ?? null, scores })
      await bound?.dispose()
    }
    await decoder.dispose()
    const engine = `${runtime.name} (${runtime.detail}${quantize ? `, ${quantize} weights` : ""})`
    await runtime.dispose()
    io.out(
      values.json
        ? `${JSON.stringify({ type: "scores", ...record(suite, open, engine, models) })}\n`
        : report(suite, open, engine, models),
    )
    return exitCodes.ok
  },
})

/** A suite by its file, or the bundled one by its name. @throws {EspalierError} `not_found`, `invalid_file` */
async function openSuite(given: string): Promise<Suite> {
  const bundled = given === "sprig" && !existsSync(given)
  const path = bundled ? join(packageFolder(), "models", "sprig", "suite.jsonl") : given
  const found = await stat(path).catch((cause: unknown) => {
    throw new EspalierError("not_found", bundled ? "The bundled suite is missing" : `There is no suite ${given}`, {
      param: "suite",
      hint: bundled ? "Give a suite with --suite" : "Give a JSONL file of items, or sprig for the bundled suite",
      cause,
    })
  })
  if (!found.isFile())
    throw new EspalierError("invalid_file", `Expected suite ${given} to be a file`, { param: "suite" })
  const bytes = new Uint8Array(await readFile(path))
  return { ...(await readSuite(bundled ? "models/sprig/suite.jsonl" : given, bytes)), name: bundled ? "sprig" : given }
}

/** A line that counts, on a terminal. */
function progress(io: Io, json: boolean, name: string): (done: number, total: number) => void {
  if (!io.isTerminal || json) return () => {}
  return (done, total) => io.err(done < total ? `\r${printable(name)}: ${done} of ${total} items` : "\r\x1b[K")
}

/** Everything, for machines. Parts are between 0 and 1. */
const record = (suite: Suite, { base }: OpenBase, backend: string, models: readonly Scored[]) => ({
  suite: { name: suite.name, sha256: suite.hash },
  base: { name: base.name, hash: base.hash, ...(base.quantization && { quantization: base.quantization }) },
  backend,
  models: models.map(({ name, adapter, scores }, i) => ({
    name,
    adapter,
    ...scores,
    ...(i > 0 && { difference: compareScores(models[0]!.scores, scores) }),
  })),
})

/** The same as a table for people. */
function report(suite: Suite, { base }: OpenBase, backend: string, models: readonly Scored[]): string {
  const shown = models.map(({ name, scores }) => ({ name: printable(name), scores }))
  const unfit = Math.max(...models.map(({ scores }) => scores.families.reduce((sum, each) => sum + each.unfit, 0)))
  return [
    `Suite: ${printable(suite.name)} (${suite.hash.slice(0, 12)})`,
    `Base: ${printable(base.name)} (${base.hash.slice(0, 12)}), backend ${backend}`,
    "",
    suiteTable(shown as [(typeof shown)[0], ...typeof shown]),
    ...(unfit > 0 ? [`${unfit} of the questions are too long for the base's context, and count as wrong`, ""] : []),
  ].join("\n")
}
