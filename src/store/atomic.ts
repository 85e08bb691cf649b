/**
 * @module Files that are wholly there or not at all: written beside their place, flushed, then renamed into it.
 */
import { mkdir, open, readdir, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"

/** How often a writer that is disturbed tries to put its folder in place. */
const MAX_TRIES = 100
/** Marks what a crash may leave behind. */
const TEMPORARY = ".tmp-"
let count = 0
const temporary = (path: string): string =>
  join(dirname(path), `.${basename(path)}${TEMPORARY}${process.pid}-${Date.now().toString(36)}-${count++}`)

/** Writes a file, flushed to disk. */
async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx")
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Removes a folder; another process may fill it meanwhile. */
const removeFolder = (path: string): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5 })

/** Flushes a folder's entries, where the system can. */
export async function flushFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, "r")
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch {
    // Windows can't open folders; its renames are journalled.
  }
}

/** Replaces a file whole. A crash leaves the old one or the new one. */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const beside = temporary(path)
  try {
    await writeFlushed(beside, bytes)
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  await flushFolder(dirname(path))
}

/** Replaces a folder whole by one of these files, flushed to disk. See {@link buildFolderAtomic}. */
export async function writeFolderAtomic(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await buildFolderAtomic(path, async (folder) => {
    for (const [name, bytes] of files) await writeFlushed(join(folder, name), bytes)
  })
}

/**
 * Replaces a folder whole. The old one is moved aside before the new one takes its place, so that a crash leaves one of
 * them under its name, or (between the two renames) the old one beside it, which {@link recoverFolder} puts back.
 * @param fill writes the files into the folder it is given, and flushes them
 */
export async function buildFolderAtomic(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await recoverFolder(path)
  const beside = temporary(path)
  const aside = asideOf(path)
  try {
    await mkdir(beside)
    await fill(beside)
    await flushFolder(beside)
    await takePlace(beside, path, aside)
    await flushFolder(dirname(path))
    await removeFolder(aside)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    await recoverFolder(path)
    throw error
  }
}

/** A process that recovers or writes the same folder may put one back between the two renames: then again. */
async function takePlace(beside: string, path: string, aside: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await removeFolder(aside)
      await renameIfThere(path, aside)
      return await rename(beside, path)
    } catch (error) {
      if (tries === MAX_TRIES || !isTaken(error)) throw error
    }
  }
}

/** Whether a rename failed because a folder stands where it leads. */
function isTaken(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === "ENOTEMPTY" || code === "EEXIST"
}

const asideOf = (path: string): string => join(dirname(path), `.${basename(path)}.old`)

/** Puts a folder back that a crash left moved aside, and removes what else it left. */
export async function recoverFolder(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => [] as string[])
  const aside = basename(asideOf(path))
  if (names.includes(aside)) {
    if (names.includes(basename(path))) await removeFolder(asideOf(path))
    // Who wrote it may have moved on meanwhile, and then there is nothing to put back.
    else
      await renameIfThere(asideOf(path), path).catch((error: unknown) =>
        isTaken(error) ? false : Promise.reject(error),
      )
  }
  const begun = new RegExp(`^\\.${quote(basename(path))}${quote(TEMPORARY)}(\\d+)-`)
  for (const name of names) {
    const pid = begun.exec(name)?.[1]
    if (pid && Number(pid) !== process.pid && !isAlive(Number(pid)))
      await rm(join(dirname(path), name), { recursive: true, force: true })
  }
}

const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false
    throw error
  }
}
