/**
 * @module The index of documents in a folder, cut by a base's own tokenizer.
 */
import { join, resolve } from "node:path"
import { baseEmbedder } from "../answering/base-embedder.ts"
import { EspalierError } from "../core/errors.ts"
import type { Embedder } from "../rag/embedder.ts"
import { type SqliteIndex, sqliteIndex } from "../rag/sqlite-index.ts"
import { transformersEmbedder } from "../rag/transformers-embedder.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { openBaseTokenizer } from "./open-base.ts"
import { openDatabase } from "./open-database.ts"

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
  const embedder = await openEmbedder(settings)
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

async function openEmbedder({ embedder, engine }: DocumentSettings): Promise<Embedder | null> {
  if (embedder === undefined || embedder === "none") return null
  if (embedder !== "base") return transformersEmbedder(embedder)
  if (!engine) throw new TypeError("Expected an engine for the base's states")
  return baseEmbedder(await engine())
}
