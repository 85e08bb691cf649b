/**
 * @module The adapters that jobs made, as folders of the store. The folders themselves say which models there are: each is
 * published whole, and a damaged database takes none of them away.
 */
import { readdir, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { recoverFolder } from "../store/atomic.ts"
import { folderOf, modelOf } from "./model-name.ts"

/** A model on the shelf. */
export interface ShelvedModel {
  readonly name: string
  /** Its folder. */
  readonly path: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Adapters by their models' names. */
export interface AdapterShelf {
  /** Where a model lies, or is going to. */
  pathOf(name: string): string
  find(name: string): ShelvedModel | null
  /** By name. */
  list(): readonly ShelvedModel[]
  /** Shows a model whose folder has been published. */
  show(name: string): Promise<void>
  /** Takes a model away with its folder. That there is none is fine. */
  remove(name: string): Promise<void>
}

/**
 * Looks through a folder for adapters over one base.
 * @param isHidden models that are not to be seen: of a job that has not ended, or that were deleted
 */
export async function openAdapterShelf(
  folder: string,
  baseHash: string,
  isHidden: (model: string) => boolean,
): Promise<AdapterShelf> {
  const models = new Map<string, ShelvedModel>()
  const pathOf = (name: string): string => join(folder, folderOf(name))
  const show = async (name: string): Promise<void> => {
    const path = pathOf(name)
    models.set(name, { name, path, createdAt: Math.floor((await stat(path)).mtimeMs) })
  }
  for (const entry of await readdir(folder).catch(() => [] as string[])) {
    // A crash in the middle of publishing may have left a folder aside.
    const name = modelOf(/^\.(.+)\.old$/.exec(entry)?.[1] ?? entry)
    if (name === null) continue
    await recoverFolder(pathOf(name))
    if (isHidden(name) || (await hashIn(pathOf(name))) !== baseHash) continue
    await show(name)
  }
  return {
    pathOf,
    show,
    find: (name) => models.get(name) ?? null,
    list: () => [...models.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    async remove(name) {
      models.delete(name)
      await rm(pathOf(name), { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** The base's hash in an adapter's espalier.json; null where it has none. */
async function hashIn(path: string): Promise<string | null> {
  try {
    const facts = JSON.parse(await readFile(join(path, "espalier.json"), "utf8")) as { base?: { hash?: unknown } }
    return typeof facts.base?.hash === "string" ? facts.base.hash : null
  } catch {
    return null
  }
}
