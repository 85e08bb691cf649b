/**
 * @module An index of documents in a folder that goes with the test.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openDatabase } from "../../src/presets/open-database.ts"
import type { IndexOptions } from "../../src/rag/document-index.ts"
import type { Embedder } from "../../src/rag/embedder.ts"
import { type SqliteIndex, sqliteIndex } from "../../src/rag/sqlite-index.ts"

/** An index that can be removed. */
export interface TemporaryIndex {
  readonly index: SqliteIndex
  readonly folder: string
  /** Opens the same database once more. */
  again(embedder?: Embedder): Promise<SqliteIndex>
  remove(): Promise<void>
}

/** Tokens as words. */
const count = (text: string): number => text.split(/\s+/).length

/** What indexes of tests are like. @param tokens words of a piece at most */
export const testIndexOptions = (tokens = 60, embedder?: Embedder): IndexOptions => ({
  ...(embedder && { embedder }),
  chunks: { tokens, overlap: Math.floor(tokens / 4), count },
  now: () => 1000,
})

/** Opens a fresh index. @param tokens words of a piece at most */
export async function temporaryIndex(tokens = 60, first?: Embedder): Promise<TemporaryIndex> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-documents-"))
  const opened: SqliteIndex[] = []
  const open = async (embedder?: Embedder): Promise<SqliteIndex> => {
    const options = { name: "document index", option: "documents", shared: true }
    const { database } = await openDatabase(join(folder, "documents.sqlite"), options)
    const index = sqliteIndex(database, testIndexOptions(tokens, embedder))
    opened.push(index)
    return index
  }
  return {
    index: await open(first),
    folder,
    again: open,
    async remove() {
      for (const index of opened) index.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
