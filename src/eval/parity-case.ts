/**
 * @module Where a parity case lies, and where what it trains is written: on disk, or behind HTTP and in memory, so that the
 * same checks run inside an edge worker and a page.
 */
import { readdir } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { type AdapterFiles, adapterFolderFiles, writeAdapterFolder } from "../store/adapter-folder.ts"
import { type Folder, fsFolder, memoryFolder } from "../store/folder.ts"
import { type Fetcher, webFolder } from "../store/web-folder.ts"

/** A case of layout test/fixtures/parity/README.md. */
export interface ParityCase {
  readonly name: string
  /** Its methods' folders, by name. */
  readonly methods: readonly string[]
  /** One of its folders: itself without a path, `base`, a method's, or a folder of that. */
  folder(...path: string[]): Promise<Folder>
}

/** A case on disk. */
export async function diskParityCase(path: string): Promise<ParityCase> {
  const root = resolve(path)
  const folders = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  return {
    name: basename(root),
    methods: folders
      .map(({ name }) => name)
      .filter((name) => name !== "base")
      .sort(),
    folder: async (...parts) => fsFolder(join(root, ...parts)),
  }
}

/**
 * A case behind HTTP, whose folders list their files: see {@link webFolder}.
 * @param url of the case, ending in a slash
 */
export const webParityCase = (fetcher: Fetcher, url: string, methods: readonly string[]): ParityCase => ({
  name: url.split("/").at(-2) ?? url,
  methods,
  folder: (...parts) => webFolder(fetcher, `${url}${parts.map((part) => `${part}/`).join("")}`),
})

/** What a card says beside a trained adapter. */
const readme = (name: string): string => `Trained by the parity check of case ${name}.\n`

/** Writes to disk, into a folder for each case and method. */
export const writeParityTo =
  (out: string) =>
  async (at: { readonly case: string; readonly method: string }, adapter: AdapterFiles): Promise<Folder> => {
    const path = join(out, at.case, at.method)
    await writeAdapterFolder(path, adapter, readme(at.case))
    return { ...fsFolder(path), name: path }
  }

/** Writes into memory. */
export const writeParityHere = async (
  at: { readonly case: string; readonly method: string },
  adapter: AdapterFiles,
): Promise<Folder> => memoryFolder(`${at.case}/${at.method}`, adapterFolderFiles(adapter, readme(at.case)))
