/**
 * @module Documents that are ready to be written: hashed, cut and embedded.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import { type Chunk, type ChunkOptions, chunkText } from "./chunk.ts"
import type { Metadata, NewDocument } from "./document.ts"
import type { Embedder } from "./embedder.ts"

/** A document that is ready to be written. */
export interface ReadyDocument {
  readonly id: string
  /** Of its title, text and metadata, in hex. */
  readonly sha256: string
  readonly title: string
  readonly text: string
  /** Its metadata as JSON, its keys in order. */
  readonly meta: string
  /** Null for a document that is there already. */
  readonly cut: Cut | null
}

/** A document's pieces. */
export interface Cut {
  readonly chunks: readonly Chunk[]
  /** A vector each; null where nothing embeds. */
  readonly vectors: readonly Float32Array[] | null
}

/**
 * Makes a document ready.
 * @param isKnown whether the document of an id has this hash, so that it need not be cut
 * @throws {EspalierError} `invalid_request` for a document without text
 */
export async function readyDocument(
  { id, title, text, metadata }: NewDocument,
  chunks: ChunkOptions,
  embedder: Embedder | undefined,
  isKnown: (id: string, sha256: string) => boolean,
): Promise<ReadyDocument> {
  if (text.trim() === "")
    throw new EspalierError("invalid_request", `The document "${title.slice(0, 100)}" has no text`, { param: "text" })
  const meta = metadataJson(metadata)
  const sha256 = await sha256Hex(encodeUtf8(JSON.stringify([title, text, meta])))
  const name = id ?? `doc-${sha256.slice(0, 24)}`
  const cut = isKnown(name, sha256) ? null : await cutAndEmbed(text, chunks, embedder)
  return { id: name, sha256, title, text, meta, cut }
}

/** A document's pieces without vectors: for one that somebody else replaced since it was looked at. */
export const plainCut = (text: string, chunks: ChunkOptions): Cut => ({
  chunks: chunkText(text, chunks),
  vectors: null,
})

async function cutAndEmbed(text: string, options: ChunkOptions, embedder: Embedder | undefined): Promise<Cut> {
  const { chunks } = plainCut(text, options)
  const vectors = embedder ? await embedder.embed(chunks.map(({ start, end }) => text.slice(start, end))) : null
  return { chunks, vectors }
}

/** Metadata as JSON: the same in any order is the same. */
const metadataJson = (metadata: Metadata): string =>
  JSON.stringify(Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))))
