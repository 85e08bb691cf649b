/**
 * @module Folders behind HTTP: a site's static files, or an edge worker's assets. HTTP lists nothing, so a file beside
 * the others says which there are.
 */
import { EspalierError } from "../core/errors.ts"
import { confined, type Folder, memoryFolder } from "./folder.ts"

/** The file that lists the others: a JSON array of names. */
export const LISTING = "files.json"

/** Gets a URL. */
export type Fetcher = (url: string) => Promise<Response>

/**
 * Reads a whole folder into memory.
 * @param url ends in a slash
 * @throws {EspalierError} `not_found` where there is no listing, `invalid_file` where it or a listed file can't be read
 */
export async function webFolder(fetcher: Fetcher, url: string): Promise<Folder> {
  const get = async (file: string): Promise<Response> => {
    const response = await fetcher(`${url}${file}`)
    if (response.ok) return response
    await response.body?.cancel()
    throw new EspalierError(
      file === LISTING ? "not_found" : "invalid_file",
      `Expected ${file} below ${url} but found HTTP status ${response.status}`,
    )
  }
  const names: unknown = await (await get(LISTING)).json().catch((cause: unknown) => {
    throw new EspalierError("invalid_file", `${LISTING} is not valid JSON`, { cause })
  })
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string"))
    throw new EspalierError("invalid_file", `${LISTING}: expected a list of file names`)
  const files = await Promise.all(
    names.map(async (name) => [name, await bodyOf(await get(confined(name)), name)] as const),
  )
  return memoryFolder(url.replace(/\/$/, "").split("/").at(-1) ?? url, new Map(files))
}

/**
 * A response's body. Where its length is known it is read into place: an engine that gathers it first holds a large file twice.
 * @throws {EspalierError} `invalid_file` if it has another length than was said
 */
async function bodyOf(response: Response, name: string): Promise<Uint8Array> {
  const length = Number(response.headers.get("content-length") ?? 0)
  // The length of what is compressed on its way is another.
  if (length === 0 || response.body === null || response.headers.has("content-encoding"))
    return new Uint8Array(await response.arrayBuffer())
  const bytes = new Uint8Array(length)
  let at = 0
  const reader = response.body.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    if (at + next.value.length <= length) bytes.set(next.value, at)
    at += next.value.length
  }
  if (at !== length)
    throw new EspalierError("invalid_file", `${name}: expected ${length} bytes but ${at} came`, {
      hint: "Ask for it again",
    })
  return bytes
}
