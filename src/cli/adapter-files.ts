/**
 * @module Files of adapters in other formats, on disk.
 */
import { mkdir, readFile, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { decodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { type AdapterFormat, type ExportBase, type ExportFiles, SINGLE } from "../export/format.ts"
import type { TokenizerFiles } from "../export/gguf-tokenizer.ts"
import { adapterFormats } from "../export/mod.ts"
import type { GgufSource } from "../formats/gguf/read.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { PeftFiles } from "../merge/peft-parts.ts"
import type { OpenBase } from "../presets/open-base.ts"
import { loadContent } from "../presets/read-adapter.ts"
import { adapterHash } from "../store/adapter-folder.ts"
import { writeFileAtomic, writeFolderAtomic } from "../store/atomic.ts"
import { fsFolder } from "../store/folder.ts"

/** What formats ask of a base. */
export const exportBase = ({ base }: OpenBase): ExportBase => ({
  name: base.name,
  config: base.config,
  sites: base.architecture.sites(base.config),
})

/** An adapter that was read from a format's files, checked against a base. @throws {EspalierError} `adapter_mismatch` */
export function loadedOf(open: OpenBase, { config, tensors }: PeftFiles): Promise<LoadedAdapter> {
  const sizeBytes = [...tensors.values()].reduce((total, { data }) => total + data.byteLength, 0)
  return loadContent(open, { config, tensors, hash: adapterHash(config, tensors), sizeBytes })
}

/** Writes a format's files. */
export async function writeExport(path: string, { single }: AdapterFormat, files: ExportFiles): Promise<void> {
  if (!single) return writeFolderAtomic(path, files)
  await mkdir(dirname(path), { recursive: true })
  await writeFileAtomic(path, files.get(SINGLE)!)
}

/** Reads a format's files. @throws {EspalierError} `not_found` */
export async function readExport(path: string, format: AdapterFormat): Promise<ExportFiles> {
  const read = async (file: string): Promise<Uint8Array> =>
    new Uint8Array(
      await readFile(file).catch((cause: unknown) => {
        throw new EspalierError("not_found", `There is no readable file ${file}`, { cause })
      }),
    )
  if (format.single) return new Map([[SINGLE, await read(path)]])
  const files = new Map<string, Uint8Array>()
  for (const name of format.files) files.set(name, await read(join(path, name)))
  return files
}

/** The format of a file or folder, by what it is called or holds. @throws {EspalierError} `not_found`, `unsupported` */
export async function formatOf(path: string): Promise<AdapterFormat> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new EspalierError("not_found", `There is no ${path}`, { cause })
  })
  const named = (name: string): AdapterFormat => adapterFormats.find((format) => format.name === name)!
  if (found.isFile()) {
    if (path.endsWith(".gguf")) return named("gguf")
    if (path.endsWith(".onnx_adapter")) return named("onnx_adapter")
  } else {
    for (const format of adapterFormats) {
      const there = await Promise.all(
        format.files.map((file) =>
          stat(join(path, file)).then(
            () => true,
            () => false,
          ),
        ),
      )
      if (!format.single && there.every(Boolean)) return format
    }
  }
  throw new EspalierError("unsupported", `${path} is no adapter in a format that is known`, {
    hint: `Say which one it is with --from: ${adapterFormats.map(({ name }) => name).join(", ")}`,
    param: "from",
  })
}

/** A file whose parts are read when they are asked for. @throws {EspalierError} `invalid_file` if there is none */
export async function fileSource(path: string): Promise<GgufSource> {
  const folder = fsFolder(dirname(resolve(path)))
  const name = basename(path)
  return { name, size: await folder.size(name), read: (start, end) => folder.readRange(name, start, end) }
}

/** A base's tokenizer as its files say it. @throws {EspalierError} `unsupported` where it brings none */
export async function tokenizerFiles(from: string): Promise<TokenizerFiles> {
  const read = async (file: string): Promise<string | null> =>
    readFile(join(from, file)).then(
      (bytes) => decodeUtf8(bytes),
      () => null,
    )
  const tokenizer = await read("tokenizer.json")
  if (tokenizer === null) throw new EspalierError("unsupported", `Base folder ${basename(from)} has no tokenizer.json`)
  const config = JSON.parse((await read("tokenizer_config.json")) ?? "{}") as Record<string, unknown>
  const template = await read("chat_template.jinja")
  return {
    tokenizer: JSON.parse(tokenizer) as Record<string, unknown>,
    config: template === null ? config : { ...config, chat_template: template },
  }
}
