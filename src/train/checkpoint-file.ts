/**
 * @module The checkpoint of a run as a file, replaced whole each time.
 */
import { freeNow } from "../core/bytes.ts"
import { recoverFolder, writeFileAtomic } from "../store/atomic.ts"
import { readFileIfThere, removeFile } from "../store/file.ts"
import { decodeCheckpoint, encodeCheckpoint, type RunIdentity } from "./checkpoint.ts"
import type { Snapshot } from "./snapshot.ts"

/** The checkpoint of one run. */
export interface CheckpointFile {
  readonly path: string
  save(snapshot: Snapshot): Promise<void>
  /**
   * The state to go on with; null where there is no checkpoint.
   * @throws {EspalierError} `invalid_file` or `conflict`, as {@link decodeCheckpoint}.
   */
  load(): Promise<Snapshot | null>
  /** Removes it, once the run is over. */
  remove(): Promise<void>
}

/** The checkpoint of a run that keeps its files in `folder`. */
export function checkpointFile(folder: string, identity: RunIdentity): CheckpointFile {
  const name = "checkpoint.safetensors"
  const path = `${folder}/${name}`
  return {
    path,
    async save(snapshot) {
      const bytes = encodeCheckpoint(snapshot, identity)
      await writeFileAtomic(path, bytes)
      freeNow(bytes)
    },
    async load() {
      // A process killed while writing leaves its unfinished file beside the whole one.
      await recoverFolder(path)
      const bytes = await readFileIfThere(path)
      return bytes === null ? null : decodeCheckpoint(bytes, name, identity)
    },
    remove: () => removeFile(path),
  }
}
