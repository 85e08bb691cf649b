/**
 * @module Where a peer is installed. None of them is a dependency.
 */
import { readFile } from "node:fs/promises"
import { delimiter, dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { EspalierError } from "../../../src/core/errors.ts"
import type { PeerName } from "./peer.ts"

const packages: Readonly<Record<PeerName, string>> = {
  "node-llama-cpp": "node-llama-cpp",
  "transformers.js": "@huggingface/transformers",
}

/**
 * A peer's entry.
 * @param path a folder that it was installed in
 * @throws {EspalierError} `not_found` that says how to install it
 */
export function findPeer(peer: PeerName, path: string | undefined): string {
  const wanted = packages[peer]
  const paths = (process.env["NODE_PATH"] ?? "").split(delimiter).filter((each) => each !== "")
  const folders = [...(path === undefined ? [] : [path]), ...paths.map((each) => dirname(each))]
  for (const folder of [...folders.map((each) => resolve(each)), fileURLToPath(new URL("../../..", import.meta.url))]) {
    try {
      return pathToFileURL(Bun.resolveSync(wanted, folder)).href
    } catch {
      // The next folder may have it.
    }
  }
  throw new EspalierError("not_found", `The peer ${peer} is not installed`, {
    hint: `In a folder of its own: npm install ${wanted}; then name that folder with --peer-path, or its node_modules in NODE_PATH`,
    param: "peer-path",
  })
}

/** The version in the package.json above an entry. */
export async function versionOf(entry: string): Promise<string> {
  for (let folder = dirname(fileURLToPath(entry)); folder !== dirname(folder); folder = dirname(folder)) {
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => null)
    const version = text === null ? undefined : (JSON.parse(text) as { version?: string }).version
    if (version !== undefined) return version
  }
  return "of no version"
}
