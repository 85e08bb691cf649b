/**
 * @module The retrieval profile of a base: the one that was calibrated over these documents, else the one that the base
 * brings, else the plain one.
 */
import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { type RetrievalProfile, readProfile } from "../answering/profile.ts"
import { OWN_PROFILE, plainProfile } from "./folder-profile.ts"

/** Where the profile of a base lies that was calibrated over a folder's documents. */
export const calibratedPath = (documents: string, baseHash: string): string =>
  join(resolve(documents), `retrieval-${baseHash.slice(0, 12)}.json`)

/**
 * The profile to go by.
 * @param places the documents' folder, if any; the base's folder and hash
 * @throws {EspalierError} `invalid_file` naming the field
 */
export async function openProfile(places: {
  readonly documents: string | null
  readonly base: string
  readonly baseHash: string
}): Promise<RetrievalProfile> {
  const { documents, base, baseHash } = places
  const paths = [...(documents === null ? [] : [calibratedPath(documents, baseHash)]), join(resolve(base), OWN_PROFILE)]
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if ((error as { code?: unknown }).code === "ENOENT") return null
      throw error
    })
    if (text !== null) return readProfile(text, path)
  }
  return plainProfile
}
