/**
 * @module Files that are wholly there or not at all: written beside their place, flushed, then renamed into it.
 */
import { mkdir, open, readdir, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"

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

/** Flushes a folder's entries, where the system can. */
async function flushFolder(path: string): Promise<void> {
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

/**
 * Replaces a folder whole. The old one is moved aside before the new one takes its place, so that a crash leaves one of
 * them under its name, or (between the two renames) the old one beside it, which {@link recoverFolder} puts back.
 */
export async function writeFolderAtomic(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await recoverFolder(path)
  const beside = temporary(path)
  const aside = asideOf(path)
  try {
    await mkdir(beside)
    for (const [name, bytes] of files) await writeFlushed(join(beside, name), bytes)
    await flushFolder(beside)
    await rm(aside, { recursive: true, force: true })
    const replaced = await renameIfThere(path, aside)
    await rename(beside, path)
    await flushFolder(dirname(path))
    if (replaced) await rm(aside, { recursive: true, force: true })
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    await recoverFolder(path)
    throw error
  }
}

const asideOf = (path: string): string => join(dirname(path), `.${basename(path)}.old`)

/** Puts a folder back that a crash left moved aside, and removes what else it left. */
export async function recoverFolder(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => [] as string[])
  const aside = basename(asideOf(path))
  if (names.includes(aside)) {
    if (names.includes(basename(path))) await rm(asideOf(path), { recursive: true, force: true })
    else await rename(asideOf(path), path)
  }
  for (const name of names) {
    const pid = new RegExp(`^\\.${quote(basename(path))}${quote(TEMPORARY)}(\\d+)-`).exec(name)?.[1]
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
