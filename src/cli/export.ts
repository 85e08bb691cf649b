/**
 * @module `espalier export`.
 */
import { EspalierError } from "../core/errors.ts"
import { adapterFormats } from "../export/mod.ts"
import { fuseAdapters } from "../merge/fuse.ts"
import { openBase } from "../presets/open-base.ts"
import { readAdapterFiles } from "../presets/read-adapter.ts"
import { saveFused } from "../service/save-merged-base.ts"
import { exportBase, loadedOf, readExport, writeExport } from "./adapter-files.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { baseFolder, engineOptions, trainedAdapter } from "./shared-options.ts"
import { checkDifference, type Difference, differenceOf, idsFor, logitsOf, type Model, verifiedText } from "./verify.ts"

const formats = [...adapterFormats.map(({ name }) => name), "merged"]

const options = {
  to: { type: "string", value: "format", description: "what is written", choices: formats },
  out: { type: "string", value: "path", description: "where it goes: a folder, or a file for gguf and onnx_adapter" },
  base: engineOptions.base,
  verify: { type: "boolean", description: "load what was written and compare its logits with the adapter's" },
  force: {
    type: "boolean",
    description: "take an adapter that was held back, or trained on another base of one shape",
  },
} as const
/** Options of `espalier export`. */
export type ExportValues = OptionValues<typeof options> & { readonly json?: boolean }

/** What was written. */
interface Written {
  readonly model: Model
  readonly difference: Difference | null
}

export const exportCommand = defineCommand({
  name: "export",
  summary:
    "Writes an adapter in another library's format, or fused into its base; --verify proves that it computes the same.",
  usage: "<adapter> --to <format> --out <path> [options]",
  options,
  examples: [
    "espalier export adapters-out/answer-card-lora --to gguf --out exported/answer-card.gguf --verify",
    "espalier export adapters-out/answer-card-lora --to mlx --out exported/answer-card-mlx --verify",
    "espalier export adapters-out/answer-card-lora --to merged --out exported/sprig-answer-card --verify",
  ],
  async run(given, positionals, io) {
    const values = given as ExportValues
    const { to, out } = values
    const [text] = positionals
    if (text === undefined || positionals.length > 1)
      throw new EspalierError("invalid_request", `Expected one adapter but found ${positionals.length}`, {
        hint: "Such as: espalier export adapters-out/answer-card-lora --to gguf --out exported/answer-card.gguf",
      })
    if (to === undefined || out === undefined)
      throw new EspalierError("invalid_request", "Expected a format with --to and a place with --out", {
        hint: `Formats: ${formats.join(", ")}`,
        param: to === undefined ? "to" : "out",
      })
    const { difference } = await exportAdapter(text, to, out, values)
    if (values.json) io.out(`${JSON.stringify({ type: "exported", to, out, difference })}\n`)
    else {
      io.out(`Written to ${printable(out)} (${to})\n`)
      if (difference) io.out(verifiedText(difference))
    }
    return exitCodes.ok
  },
})

async function exportAdapter(text: string, to: string, out: string, values: ExportValues): Promise<Written> {
  const from = baseFolder(values.base)
  const open = await openBase(from)
  const { name, path } = trainedAdapter(text)
  const force = values.force === true
  const { files, loaded } = await readAdapterFiles(open, path, { promotedOnly: !force, anyBase: force })
  const model: Model = { open, adapter: loaded }
  const format = adapterFormats.find((each) => each.name === to)
  if (!format) {
    const sources = [{ name, weight: 1, forms: loaded.forms }]
    const { base } = open
    const mergeBase = { name: base.name, sites: base.architecture.sites(base.config), read: base.read }
    const fused = await fuseAdapters(sources, { method: "linear" }, mergeBase)
    const merged = [{ name, weight: 1, hash: files.hash, method: loaded.method }]
    await saveFused(out, fused, { base, recipe: { method: "linear" }, sources: merged }, from)
    return {
      model,
      difference: values.verify ? await compare(model, { open: await openBase(out), adapter: null }) : null,
    }
  }
  const { method, forms } = loaded
  const { config, tensors } = files
  await writeExport(out, format, format.write({ name, method, forms, config, tensors }, exportBase(open)))
  if (!values.verify) return { model, difference: null }
  const back = format.read(await readExport(out, format), exportBase(open))
  return { model, difference: await compare(model, { open, adapter: await loadedOf(open, back) }) }
}

async function compare(expected: Model, found: Model): Promise<Difference> {
  const ids = idsFor(expected.open)
  const difference = differenceOf(await logitsOf(expected, ids), await logitsOf(found, ids), ids.length)
  checkDifference(difference)
  return difference
}
