/**
 * @module Documents in memory, for workers and browsers, where there is no SQLite. It lasts as long as its process, unless
 * its collections are kept elsewhere: {@link MemoryIndex.snapshot} and {@link MemoryIndex.restore}.
 *
 * What is written is written without a pause, so that a search finds the old document or the new one, never a half.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { keysInMemory } from "../store/idempotency.ts"
import type { Chunk } from "./chunk.ts"
import { countByWords } from "./count-by-words.ts"
import type { Added, Batch, Collection, DocumentRecord, Metadata, NewDocument } from "./document.ts"
import type { DocumentIndex, IndexOptions } from "./document-index.ts"
import { matches } from "./filter.ts"
import { type FoundWords, type MemoryWords, memoryWords, type WordedPiece } from "./memory-words.ts"
import { type Matrix, nearestRows } from "./nearest.ts"
import { pageOf } from "./paging.ts"
import { type Rankings, rank } from "./rank.ts"
import { plainCut, type ReadyDocument, readyDocument } from "./ready-document.ts"
import type { Passage } from "./retriever.ts"

/** A collection as plain JSON. */
export interface Snapshot {
  readonly collection: Pick<Collection, "id" | "owner" | "name" | "createdAt" | "metadata">
  readonly documents: readonly (NewDocument & { readonly id: string; readonly createdAt: number })[]
}

/** Settings of an index in memory. */
export interface MemoryIndexOptions extends IndexOptions {
  /** Told of every collection that changes, by its id. */
  readonly onChange?: (collection: string) => void
  /** Bytes that all texts may have together, in UTF-8. @default {Infinity} */
  readonly maxBytes?: number
}

/** An index in memory. */
export interface MemoryIndex extends DocumentIndex {
  /** A collection as it is; null if there is none. */
  snapshot(collection: string): Snapshot | null
  /** Puts a collection in the place of the one of its id; `onChange` is not told. */
  restore(snapshot: Snapshot): Promise<void>
  /** Drops a collection, if it is there; `onChange` is not told. */
  forget(collection: string): void
}

interface Piece {
  readonly seq: number
  readonly number: number
  readonly chunk: Chunk
  readonly document: Held
  readonly vector: Float32Array | null
  readonly worded: WordedPiece
}

interface Held {
  readonly record: DocumentRecord
  readonly text: string
  readonly pieces: Piece[]
}

interface Shelf {
  head: Snapshot["collection"]
  readonly documents: Map<string, Held>
  readonly pieces: Map<number, Piece>
  readonly words: MemoryWords
  readonly batches: Map<string, Batch>
  /** Its vectors, made when first searched and again after a change. */
  matrix: Matrix | null
}

/** An empty index. */
export function memoryIndex(options: MemoryIndexOptions): MemoryIndex {
  const { embedder, now = Date.now, onChange = () => {}, maxBytes = Number.POSITIVE_INFINITY } = options
  const chunks = { ...options.chunks, count: countByWords(options.chunks.count) }
  const newId = options.newId ?? (() => crypto.randomUUID().replaceAll("-", ""))
  const shelves = new Map<string, Shelf>()
  const keys = keysInMemory()
  let lastSeq = 0
  const known = (id: string): Shelf => {
    const found = shelves.get(id)
    if (found) return found
    throw new EspalierError("not_found", `There is no collection "${id.slice(0, 100)}"`, { param: "collection" })
  }
  const emptyShelf = (head: Snapshot["collection"]): Shelf => ({
    head,
    documents: new Map(),
    pieces: new Map(),
    words: memoryWords(),
    batches: new Map(),
    matrix: null,
  })
  const find = (owner: string, idOrName: string): Shelf | null => {
    const own = shelves.get(idOrName)
    if (own?.head.owner === owner) return own
    return [...shelves.values()].find(({ head }) => head.owner === owner && head.name === idOrName) ?? null
  }
  const put = (shelf: Shelf, ready: ReadyDocument, createdAt: number): Added => {
    const { id, sha256, title, text, meta } = ready
    const old = shelf.documents.get(id)
    if (old?.record.sha256 === sha256) return { document: old.record, change: "unchanged" }
    const cut = ready.cut ?? plainCut(text, chunks)
    if (old) take(shelf, old)
    const record: DocumentRecord = {
      ...{ id, sha256, title, metadata: JSON.parse(meta) as Metadata },
      ...{ createdAt: old?.record.createdAt ?? createdAt, bytes: encodeUtf8(text).length, chunks: cut.chunks.length },
    }
    const document: Held = { record, text, pieces: [] }
    for (const [number, chunk] of cut.chunks.entries()) {
      const seq = ++lastSeq
      const words = [title, ...chunk.headings, text.slice(chunk.start, chunk.end)].join(" ")
      const piece = { seq, number, chunk, document, vector: cut.vectors?.[number] ?? null, worded: { seq, words } }
      document.pieces.push(piece)
      shelf.pieces.set(seq, piece)
      shelf.words.add(piece.worded)
    }
    shelf.documents.set(id, document)
    shelf.matrix = null
    return { document: record, change: old ? "replaced" : "added" }
  }
  const prepare = async (documents: readonly NewDocument[], shelf: Shelf | null): Promise<ReadyDocument[]> => {
    const isKnown = (id: string, sha256: string): boolean => shelf?.documents.get(id)?.record.sha256 === sha256
    const ready: ReadyDocument[] = []
    for (const document of documents) ready.push(await readyDocument(document, chunks, embedder, isKnown))
    return ready
  }
  /** @throws {EspalierError} `storage_full` before anything is written */
  const checkRoom = (shelf: Shelf, documents: readonly ReadyDocument[]): void => {
    const held = [...shelves.values()].reduce((sum, each) => sum + collectionOf(each).bytes, 0)
    const more = documents.reduce(
      (sum, { id, text }) => sum + encodeUtf8(text).length - (shelf.documents.get(id)?.record.bytes ?? 0),
      0,
    )
    if (more <= 0 || held + more <= maxBytes) return
    throw new EspalierError("storage_full", `This server holds at most ${maxBytes} bytes of documents`, {
      hint: "Remove documents that are no longer needed",
    })
  }
  const changed = (collection: string): void => onChange(collection)
  return {
    count: options.chunks.count,
    createCollection(owner, name, metadata = {}) {
      const shelf = emptyShelf({ id: `vs_${newId()}`, owner, name, createdAt: now(), metadata })
      shelves.set(shelf.head.id, shelf)
      changed(shelf.head.id)
      return collectionOf(shelf)
    },
    changeCollection(id, change) {
      const shelf = shelves.get(id)
      if (!shelf) return
      shelf.head = { ...shelf.head, ...change }
      changed(id)
    },
    collection(owner, idOrName) {
      const found = find(owner, idOrName)
      return found && collectionOf(found)
    },
    collections: (owner) => [...shelves.values()].filter(({ head }) => head.owner === owner).map(collectionOf),
    removeCollection(owner, id) {
      const found = find(owner, id)
      if (!found) return false
      shelves.delete(found.head.id)
      changed(found.head.id)
      return true
    },
    prepare: (documents, collection) => prepare(documents, collection === undefined ? null : known(collection)),
    write(collection, documents) {
      const shelf = known(collection)
      checkRoom(shelf, documents)
      const added = documents.map((document) => put(shelf, document, now()))
      if (added.some(({ change }) => change !== "unchanged")) changed(collection)
      return added
    },
    async put(collection, document) {
      return (await this.putAll(collection, [document]))[0]!
    },
    async putAll(collection, documents) {
      return this.write(collection, await this.prepare(documents, collection))
    },
    once: (creation, work) => keys.once({ ...creation, now: now() }, work),
    before: (creation) => keys.before({ ...creation, now: now() }),
    addBatch(collection, documents) {
      const batch = { id: `vsfb_${newId()}`, createdAt: now(), documents }
      known(collection).batches.set(batch.id, batch)
      return batch
    },
    batch: (collection, id) => known(collection).batches.get(id) ?? null,
    documents: (collection, page = {}) =>
      pageOf(
        [...known(collection).documents.values()].map(({ record }) => record),
        page,
      ),
    document: (collection, id) => known(collection).documents.get(id)?.record ?? null,
    text: (collection, id) => known(collection).documents.get(id)?.text ?? null,
    remove(collection, id) {
      const shelf = known(collection)
      const held = shelf.documents.get(id)
      if (!held) return false
      take(shelf, held)
      changed(collection)
      return true
    },
    async search({ collection, query, limit, filter }, signal) {
      const shelf = known(collection)
      const isMeant = (seq: number): boolean =>
        !filter || matches(filter, shelf.pieces.get(seq)!.document.record.metadata)
      let found: FoundWords | null = null
      const rankings: Rankings = {
        byWords(terms, most) {
          found = shelf.words.find(terms)
          return found.ranked(most, isMeant)
        },
        relevance: (_terms, names, pieces) => found!.relevance(names, pieces),
        byMeaning(vector, most) {
          shelf.matrix ??= matrixOf(shelf, vector.length)
          return nearestRows(shelf.matrix, vector, most, filter && new Set([...shelf.pieces.keys()].filter(isMeant)))
        },
      }
      const ranked = await rank({ query, limit }, rankings, embedder ?? null, signal)
      return ranked.flatMap(({ seq, ...scored }) => {
        const piece = shelf.pieces.get(seq)
        return piece ? [passage(collection, piece, scored)] : []
      })
    },
    snapshot(id) {
      const shelf = shelves.get(id)
      if (!shelf) return null
      return {
        collection: shelf.head,
        documents: [...shelf.documents.values()].map(({ record, text }) => ({
          ...{ id: record.id, title: record.title, text, metadata: record.metadata, createdAt: record.createdAt },
        })),
      }
    },
    async restore({ collection, documents }) {
      const shelf = emptyShelf(collection)
      const ready = await prepare(documents, null)
      for (const [i, document] of ready.entries()) put(shelf, document, documents[i]!.createdAt)
      shelves.set(collection.id, shelf)
    },
    forget: (collection) => void shelves.delete(collection),
    close: () => shelves.clear(),
  }
}

/** Takes a document out of a shelf. */
function take(shelf: Shelf, { record, pieces }: Held): void {
  for (const { seq, worded } of pieces) {
    shelf.words.remove(worded)
    shelf.pieces.delete(seq)
  }
  shelf.documents.delete(record.id)
  shelf.matrix = null
}

/** The vectors of a shelf. @param size numbers of each */
function matrixOf(shelf: Shelf, size: number): Matrix {
  const pieces = [...shelf.pieces.values()].filter(({ vector }) => vector !== null)
  const data = new Float32Array(pieces.length * size)
  for (const [i, { vector }] of pieces.entries()) data.set(vector!, i * size)
  return { pieces: Int32Array.from(pieces, ({ seq }) => seq), data }
}

const collectionOf = ({ head, documents }: Shelf): Collection => ({
  ...head,
  documents: documents.size,
  bytes: [...documents.values()].reduce((sum, { record }) => sum + record.bytes, 0),
})

const passage = (
  collection: string,
  { number, chunk, document }: Piece,
  scored: Pick<Passage, "score" | "relevance">,
): Passage => ({
  ...{ documentId: document.record.id, collection, title: document.record.title, chunk: number },
  ...{ start: chunk.start, end: chunk.end, text: document.text.slice(chunk.start, chunk.end) },
  metadata: document.record.metadata,
  ...scored,
})
