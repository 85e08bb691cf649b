/**
 * @module How the executable starts: what it carries is unpacked once, into the cache folder, for the system's linker
 * loads the native engine from a file and from nothing else. Bundled into the executable, together with Bun.
 */
import { existsSync } from "node:fs"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { unzipSync } from "fflate"
import { buildFolderAtomic } from "../../src/store/atomic.ts"
import { cacheFolder } from "../../src/store/cache.ts"

/**
 * Unpacks the archive, unless that was done before.
 * @param archive a zip file
 * @param id names its content: another one is unpacked beside it
 * @returns the folder that holds it
 */
export async function unpack(archive: string, id: string): Promise<string> {
  const home = join(cacheFolder(process.env), "executable", id)
  if (existsSync(home)) return home
  const files = unzipSync(new Uint8Array(await readFile(archive)))
  try {
    await buildFolderAtomic(home, async (folder) => {
      for (const [name, bytes] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true })
        await writeFile(join(folder, name), bytes)
      }
    })
  } catch (error) {
    // Another process may have been faster: what it unpacked is the same.
    if (!existsSync(home)) throw error
  }
  return home
}
