/**
 * @module The index of documents in a folder, cut by a base's own tokenizer.
 */
import { join, resolve } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { type SqliteIndex, sqliteIndex } from "../rag/sqlite-index.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { openBaseTokenizer } from "./open-base.ts"
import { openDatabase } from "./open-database.ts"
import { openEmbedder } from "./open-embedder.ts"

/** How documents are cut. */
export interface DocumentSettings {
  /** The folder that the index lies in. */
  readonly folder: string
  /** The base's folder. */
  readonly base: string
  /** Tokens of a piece at most. @default {160} */
  readonly chunkTokens?: number
  /** Tokens that neighbouring pieces share at most. @default {32} */
  readonly chunkOverlap?: number
  /** Searches by meaning too: `base` by the base's own states, anything else is a model for transformers.js. */
  readonly embedder?: string
  /** The engine whose base embeds; needed for `base`. */
  readonly engine?: () => Promise<Pick<EngineApi, "embed" | "info">>
}

/**
 * Opens or makes an index. Several processes may have it open.
 * @throws {EspalierError} `unavailable` where it can't be written or there is no SQLite, `unsupported` for a base without a
 *   tokenizer.
 */
export async function openDocuments(settings: DocumentSettings): Promise<SqliteIndex> {
  const { folder, base, chunkTokens, chunkOverlap } = settings
  const embedder = await openEmbedder(settings.embedder, settings.engine)
  const tokenizer = await openBaseTokenizer(base)
  if (!tokenizer)
    throw new EspalierError("unsupported", `Base folder ${base} has no tokenizer.json to cut documents by`, {
      param: "base",
    })
  const path = join(resolve(folder), "documents.sqlite")
  const options = { name: "document index", option: "documents", shared: true }
  const { database } = await openDatabase(path, options)
  return sqliteIndex(database, {
    ...(embedder && { embedder }),
    chunks: {
      ...(chunkTokens !== undefined && { tokens: chunkTokens }),
      ...(chunkOverlap !== undefined && { overlap: chunkOverlap }),
      count: (text) => tokenizer.encode(text, { parseSpecial: false }).length,
    },
  })
}
