/**
 * @module `espalier export`.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EspalierError } from "../core/errors.ts"
import type { AdapterFormat } from "../export/format.ts"
import { ggufBase } from "../export/gguf-base.ts"
import { adapterFormats } from "../export/mod.ts"
import { fuseAdapters } from "../merge/fuse.ts"
import { type OpenBase, openBase } from "../presets/open-base.ts"
import { readAdapterFiles } from "../presets/read-adapter.ts"
import { saveGgufBase } from "../service/save-gguf-base.ts"
import { saveFused } from "../service/save-merged-base.ts"
import { saveOnnx } from "../service/save-onnx.ts"
import { writeFileAtomic } from "../store/atomic.ts"
import { exportBase, fileSource, loadedOf, readExport, tokenizerFiles, writeExport } from "./adapter-files.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { onnxLogits } from "./onnx-logits.ts"
import { baseFolder, engineOptions, trainedAdapter } from "./shared-options.ts"
import { checkDifference, type Difference, differenceOf, idsFor, logitsOf, type Model, verifiedText } from "./verify.ts"

/** What a base is written as, with an adapter in it or without. */
const baseFormats = ["merged", "onnx", "gguf"] as const
const formats = [...new Set([...adapterFormats.map(({ name }) => name), ...baseFormats])]

const options = {
  to: { type: "string", value: "format", description: "what is written", choices: formats },
  out: { type: "string", value: "path", description: "where it goes: a folder, or a file for gguf and onnx_adapter" },
  base: engineOptions.base,
  verify: { type: "boolean", description: "load what was written and compare its logits with the adapter's" },
  slots: { type: "boolean", description: "with --to onnx: give every linear layer inputs for an .onnx_adapter file" },
  force: {
    type: "boolean",
    description: "take an adapter that was held back, or trained on another base of one shape",
  },
} as const
/** Options of `espalier export`. */
export type ExportValues = OptionValues<typeof options> & { readonly json?: boolean }

export const exportCommand = defineCommand({
  name: "export",
  summary:
    "Writes an adapter in another library's format, or a base, with the adapter in it; --verify proves that it computes the same.",
  usage: "[adapter] --to <format> --out <path> [options]",
  options,
  examples: [
    "espalier export adapters-out/answer-card-lora --to gguf --out exported/answer-card.gguf --verify",
    "espalier export adapters-out/answer-card-lora --to mlx --out exported/answer-card-mlx --verify",
    "espalier export adapters-out/answer-card-lora --to merged --out exported/sprig-answer-card --verify",
    "espalier export --base models/sprig --to gguf --out exported/sprig.gguf --verify",
    "espalier export --base models/sprig --to onnx --out exported/sprig-onnx --verify",
  ],
  async run(given, positionals, io) {
    const values = given as ExportValues
    const { to, out } = values
    const [text] = positionals
    const isBase = baseFormats.some((name) => name === to)
    if (positionals.length > 1 || (text === undefined && !(isBase && values.base !== undefined)))
      throw new EspalierError("invalid_request", `Expected one adapter but found ${positionals.length}`, {
        hint: "Such as: espalier export adapters-out/answer-card-lora --to gguf --out exported/answer-card.gguf; a base alone is named by --base",
      })
    if (to === undefined || out === undefined)
      throw new EspalierError("invalid_request", "Expected a format with --to and a place with --out", {
        hint: `Formats: ${formats.join(", ")}`,
        param: to === undefined ? "to" : "out",
      })
    if (values.slots && to !== "onnx")
      throw new EspalierError("invalid_request", "--slots is for --to onnx", { param: "slots" })
    const from = baseFolder(values.base)
    const open = await openBase(from)
    const adapter = text === undefined ? null : await readOne(open, text, values.force === true)
    const format = adapter && adapterFormats.find((each) => each.name === to)
    const written = format
      ? await writeAdapter(open, adapter, format, out)
      : await writeBase(open, adapter, to, out, from, values.slots === true)
    const difference = values.verify ? await compare({ open, adapter: adapter?.loaded ?? null }, written) : null
    if (values.json) io.out(`${JSON.stringify({ type: "exported", to, out, difference })}\n`)
    else {
      io.out(`Written to ${printable(out)} (${to})\n`)
      if (difference) io.out(verifiedText(difference))
    }
    return exitCodes.ok
  },
})

/** Logits of what was written, when they are asked for. */
type LogitsOf = (ids: readonly number[]) => Promise<Float32Array>

/** An adapter as it lies in its folder, and understood. */
type Read = Awaited<ReturnType<typeof readAdapterFiles>> & { readonly name: string }

async function readOne(open: OpenBase, text: string, force: boolean): Promise<Read> {
  const { name, path } = trainedAdapter(text)
  return { name, ...(await readAdapterFiles(open, path, { promotedOnly: !force, anyBase: force })) }
}

async function writeAdapter(
  open: OpenBase,
  { name, files, loaded: { method, forms } }: Read,
  format: AdapterFormat,
  out: string,
): Promise<LogitsOf> {
  const { config, tensors } = files
  await writeExport(out, format, format.write({ name, method, forms, config, tensors }, exportBase(open)))
  return async (ids) => {
    const back = format.read(await readExport(out, format), exportBase(open))
    return logitsOf({ open, adapter: await loadedOf(open, back) }, ids)
  }
}

async function writeBase(
  open: OpenBase,
  adapter: Read | null,
  to: string,
  out: string,
  from: string,
  slots: boolean,
): Promise<LogitsOf> {
  const { base } = open
  if (to === "gguf") return writeGgufBase(open, out, from)
  const sources = adapter ? [{ name: adapter.name, weight: 1, forms: adapter.loaded.forms }] : []
  const mergeBase = { name: base.name, sites: base.architecture.sites(base.config), read: base.read }
  const fused = adapter && (await fuseAdapters(sources, { method: "linear" }, mergeBase))
  if (to === "onnx") {
    await saveOnnx(out, base, fused?.weights ?? new Map(), from, { slots })
    return (ids) => onnxLogits(out, base, ids)
  }
  if (!adapter || !fused)
    throw new EspalierError("invalid_request", "There is no adapter to merge into the base", {
      hint: "Such as: espalier export adapters-out/answer-card-lora --to merged --out exported/merged",
    })
  const merged = [{ name: adapter.name, weight: 1, hash: adapter.files.hash, method: adapter.loaded.method }]
  await saveFused(out, fused, { base, recipe: { method: "linear" }, sources: merged }, from)
  return async (ids) => logitsOf({ open: await openBase(out), adapter: null }, ids)
}

/** A base as one GGUF file. @returns logits of the file, read back as a base */
async function writeGgufBase({ base, configJson }: OpenBase, out: string, from: string): Promise<LogitsOf> {
  await writeFileAtomic(out, await ggufBase(base, configJson, await tokenizerFiles(from), base.read))
  return async (ids) => {
    const folder = await mkdtemp(join(tmpdir(), "espalier-verify-"))
    try {
      const back = join(folder, base.name)
      await saveGgufBase(back, await fileSource(out))
      return await logitsOf({ open: await openBase(back, { cacheFolder: null }), adapter: null }, ids)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function compare(expected: Model, found: LogitsOf): Promise<Difference> {
  const ids = idsFor(expected.open)
  const difference = differenceOf(await logitsOf(expected, ids), await found(ids), ids.length)
  checkDifference(difference)
  return difference
}
