/**
 * @module `espalier import`.
 */
import { EspalierError } from "../core/errors.ts"
import { adapterFormats } from "../export/mod.ts"
import { readGgufHeader } from "../formats/gguf/read.ts"
import { openBase } from "../presets/open-base.ts"
import { peftConfig } from "../service/peft-config.ts"
import { saveGgufBase } from "../service/save-gguf-base.ts"
import { writeAdapterFolder } from "../store/adapter-folder.ts"
import { exportBase, fileSource, formatOf, loadedOf, readExport } from "./adapter-files.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { baseFolder, engineOptions } from "./shared-options.ts"

const options = {
  from: {
    type: "string",
    value: "format",
    description: "what it is in",
    choices: adapterFormats.map(({ name }) => name),
    default: "what its name and files say",
  },
  out: { type: "string", value: "folder", description: "where the adapter is written" },
  base: engineOptions.base,
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

export const importCommand = defineCommand({
  name: "import",
  summary:
    "Reads an adapter of another library into a folder of PEFT's layout, bound to its base and checked against it; or a base in a GGUF file into a Hugging Face folder.",
  usage: "<file or folder> --out <folder> [options]",
  options,
  examples: [
    "espalier import exported/answer-card.gguf --out adapters-out/answer-card-back",
    "espalier import path/to/model-q4_k_m.gguf --out models/imported",
  ],
  async run(given, positionals, io) {
    const values = given as Values
    const [path] = positionals
    if (path === undefined || positionals.length > 1)
      throw new EspalierError("invalid_request", `Expected one file or folder but found ${positionals.length}`, {
        hint: "Such as: espalier import exported/answer-card.gguf --out adapters-out/answer-card-back",
      })
    const { out } = values
    if (out === undefined)
      throw new EspalierError("invalid_request", "Where should the adapter go?", {
        hint: "Such as: --out adapters-out/imported",
        param: "out",
      })
    if (values.from === undefined && path.endsWith(".gguf")) {
      const source = await fileSource(path)
      const { metadata } = await readGgufHeader(source)
      if (metadata.get("general.type")?.value !== "adapter") {
        const report = await saveGgufBase(out, source)
        const types = Object.entries(report.types).map(([type, count]) => `${count} ${type}`)
        if (values.json) io.out(`${JSON.stringify({ type: "imported", from: "gguf", out, base: report })}\n`)
        else
          io.out(`Read a base (${report.modelType}, tensors: ${types.join(", ")}): saved as f32 to ${printable(out)}\n`)
        return exitCodes.ok
      }
    }
    const format = adapterFormats.find(({ name }) => name === values.from) ?? (await formatOf(path))
    const open = await openBase(baseFolder(values.base))
    const files = format.read(await readExport(path, format), exportBase(open))
    const { method } = await loadedOf(open, files)
    const { base } = open
    const facts = { base: { name: base.name, hash: base.hash }, method, imported: { format: format.name } }
    const readme = `An adapter for ${base.name}, read from ${format.name} by espalier, in PEFT's layout.\n`
    await writeAdapterFolder(out, { config: peftConfig(base, files.config), tensors: files.tensors, facts }, readme)
    if (values.json) io.out(`${JSON.stringify({ type: "imported", from: format.name, out, method })}\n`)
    else io.out(`Read from ${format.name} (${method}): saved to ${printable(out)}\n`)
    return exitCodes.ok
  },
})
