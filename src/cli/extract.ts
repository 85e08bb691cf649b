/**
 * @module `espalier extract`.
 */
import { EspalierError } from "../core/errors.ts"
import { type Extraction, extractLowrank } from "../merge/extract.ts"
import type { Base } from "../models/base.ts"
import type { LinearSite } from "../models/site.ts"
import { openBase } from "../presets/open-base.ts"
import { extractionFacts, saveExtracted } from "../service/save-extracted.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { printable, typedAs } from "./io.ts"
import { between, count } from "./number-range.ts"
import { baseFolder, engineOptions } from "./shared-options.ts"

const options = {
  base: engineOptions.base,
  out: { type: "string", value: "folder", description: "where the adapter is written" },
  rank: {
    type: "number",
    range: count(65_536),
    description: "rank of each layer at most",
    default: "16, or none with --error",
  },
  error: {
    type: "number",
    range: between(0, 1),
    value: "part",
    description: "take the least rank of each layer that loses no more than this part, such as 0.05",
  },
  layers: { type: "boolean", description: "show every layer" },
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

const DEFAULT_RANK = 16

export const extractCommand = defineCommand({
  name: "extract",
  summary: "Makes a LoRA out of a fully fine-tuned base: the nearest low-rank updates to what was changed.",
  usage: "<fine-tuned base> [options]",
  options,
  examples: [
    "espalier extract adapters-out/answer-card-full --out adapters-out/answer-card-r16",
    "espalier extract path/to/tuned --base path/to/model --error 0.1 --out adapters-out/extracted",
  ],
  async run(given, positionals, io) {
    const values = given as Values
    const [folder] = positionals
    if (folder === undefined || positionals.length > 1)
      throw new EspalierError("invalid_request", `Expected one fine-tuned base but found ${positionals.length}`, {
        hint: "Such as: espalier extract adapters-out/answer-card-full --out adapters-out/answer-card-r16",
      })
    const { out, rank, error } = values
    if (out === undefined)
      throw new EspalierError("invalid_request", "Where should the adapter go?", {
        hint: "Such as: --out adapters-out/extracted",
        param: "out",
      })
    const { base } = await openBase(baseFolder(values.base))
    const { base: tuned } = await openBase(folder)
    checkSame(base, tuned)
    const extraction = await extractLowrank(
      { sites: linearsOf(base), names: base.layout.keys() },
      (name) => base.read(name),
      (name) => tuned.read(name),
      {
        ...((rank !== undefined || error === undefined) && { rank: rank ?? DEFAULT_RANK }),
        ...(error !== undefined && { error }),
      },
    )
    if (extraction.forms.length === 0)
      throw new EspalierError("invalid_request", `No linear layer of "${tuned.name}" differs from "${base.name}"`)
    await saveExtracted(out, base, tuned, extraction)
    io.out(
      values.json
        ? `${JSON.stringify({ type: "extracted", out, ...extractionFacts(base, tuned, extraction), layers: extraction.layers })}\n`
        : report(out, base, tuned, extraction, { all: values.layers === true, env: io.env }),
    )
    return exitCodes.ok
  },
})

const linearsOf = (base: Base): LinearSite[] =>
  base.architecture
    .sites(base.config)
    .filter((site): site is LinearSite => site.kind === "linear" && site.role !== "head")

/** @throws {EspalierError} `adapter_mismatch` if the two are not of one shape */
function checkSame(base: Base, tuned: Base): void {
  const shapes = ({ layout }: Base): string =>
    JSON.stringify([...layout].map(([name, { shape }]) => [name, shape]).sort())
  if (shapes(base) === shapes(tuned)) return
  throw new EspalierError("adapter_mismatch", `"${tuned.name}" has other weights than "${base.name}"`, {
    hint: "Give the base that it was fine-tuned from with --base",
    param: "base",
  })
}

const percent = (part: number): string => `${(100 * part).toPrecision(3)} %`

function report(
  out: string,
  base: Base,
  tuned: Base,
  { layers, lost, error }: Extraction,
  { all, env }: { readonly all: boolean; readonly env: Io["env"] },
): string {
  const ranks = layers.map(({ rank }) => rank)
  const range = [...new Set([Math.min(...ranks), Math.max(...ranks)])].join(" to ")
  return [
    `What ${printable(tuned.name)} changed of ${printable(base.name)}: ${layers.length} linear layers, in rank ${range}`,
    `Lost of those changes: ${percent(error)}`,
    ...(lost.length > 0
      ? [
          `Left out, as no LoRA holds them: ${lost.length} other weights, such as ${lost[0]!.name}, changed by ${percent(Math.max(...lost.map(({ change }) => change)))} at most`,
        ]
      : []),
    ...(all
      ? [
          "",
          ...layers.map(
            ({ path, rank, change, error }) =>
              `  ${path}  rank ${rank}  changed ${percent(change)}  lost ${percent(error)}`,
          ),
        ]
      : []),
    "",
    `Saved to ${out}`,
    "",
    `Talk to it: ${typedAs("chat", env)} --adapter ${out}`,
    "",
  ].join("\n")
}
