/**
 * @module The retrieval profile that a base brings in its folder, wherever that lies.
 */
import { plainRouter, type RetrievalProfile, readProfile } from "../answering/profile.ts"
import { plainReading } from "../answering/reading.ts"
import type { Folder } from "../store/folder.ts"

/** A base's own profile, in its folder. */
export const OWN_PROFILE = "retrieval.json"

/** For bases that bring none. */
export const plainProfile: RetrievalProfile = { reading: plainReading, router: plainRouter }

/** The profile in a folder, or the plain one. @throws {EspalierError} `invalid_file` naming the field */
export async function folderProfile(folder: Folder): Promise<RetrievalProfile> {
  if (!(await folder.list()).includes(OWN_PROFILE)) return plainProfile
  return readProfile(new TextDecoder().decode(await folder.read(OWN_PROFILE)), OWN_PROFILE)
}
