/**
 * @module Adapters that requests merge on the fly, `card*0.7+json*0.3`: bound once for each content, a few of them at a
 * time. What a generation holds stays until it ends, though its place has gone to another merge.
 */

import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import { catForms } from "../merge/cat-forms.ts"
import type { WeightedName } from "../merge/expression.ts"
import type { AdapterTable } from "./adapter-table.ts"
import type { AdapterBinder } from "./adapter-versions.ts"
import { type Counted, type PreparedAdapter, preparedBy } from "./holds.ts"

/** Merges by request. */
export interface RequestMerges {
  /**
   * Binds the weighted sum of loaded adapters, or finds it bound.
   * @param name what the request calls it
   * @throws {EspalierError} `not_found` naming the adapters that are not loaded; `unsupported` for one that is no low-rank
   *   update; `conflict` for one whose folder has changed since it was loaded
   */
  prepare(name: string, terms: readonly WeightedName[]): Promise<PreparedAdapter>
  /** Lets everything go that is not held. */
  clear(): Promise<void>
}

interface Entry extends Counted {
  /** Generations, and one for the cache while it has this entry. */
  holders: number
}

/** @param most merges that stay bound without being held */
export function createRequestMerges(table: AdapterTable, binder: AdapterBinder, most: number): RequestMerges {
  /** By content; the one used longest ago comes first. */
  const entries = new Map<string, Promise<Entry>>()

  const release = async (entry: Entry): Promise<void> => {
    if (--entry.holders === 0) await binder.dispose(entry.bound)
  }
  /** For those who must not wait: what cannot be freed costs memory and nothing else. */
  const releaseLater = (entry: Entry): void => void release(entry).catch(() => {})

  const evict = (): void => {
    for (const [key, entry] of entries) {
      if (entries.size <= most) return
      entries.delete(key)
      void entry.then(releaseLater, () => {})
    }
  }

  const bind = async (key: string, parts: readonly Part[]): Promise<Entry> => {
    const adapter = await mergeLoaded(key, parts)
    return { bound: await binder.bind(adapter), holders: 1 }
  }

  /** The entry of a content, held once more. */
  const take = async (key: string, parts: readonly Part[]): Promise<Entry> => {
    for (;;) {
      const found = entries.get(key) ?? bind(key, parts)
      entries.delete(key)
      entries.set(key, found)
      evict()
      try {
        const entry = await found
        // It may have been evicted and freed while it was waited for.
        if (entry.holders === 0) continue
        entry.holders++
        return entry
      } catch (error) {
        if (entries.get(key) === found) entries.delete(key)
        throw error
      }
    }
  }

  return {
    async prepare(name, terms) {
      const parts = partsOf(table, name, terms)
      const entry = await take(await contentOf(parts), parts)
      return preparedBy(name, entry, releaseLater)
    },
    async clear() {
      const all = [...entries.values()]
      entries.clear()
      await Promise.all(all.map((entry) => entry.then(release, () => {})))
    },
  }
}

/** An adapter of a merge, as it was when the request came. */
interface Part extends WeightedName {
  readonly hash: string
  read(): Promise<LoadedAdapter>
}

/** The versions that the names stand for now. @throws {EspalierError} `not_found` naming those that are missing */
function partsOf(table: AdapterTable, name: string, terms: readonly WeightedName[]): Part[] {
  const missing = terms.filter((term) => table.find(term.name) === null).map((term) => `"${term.name}"`)
  if (missing.length > 0) {
    const names = table.list().map((info) => info.name)
    throw new EspalierError("not_found", `There is no adapter ${missing.join(", ")} to merge for model "${name}"`, {
      hint: names.length === 0 ? "No adapter is loaded" : `Loaded adapters: ${names.join(", ")}`,
      param: "model",
    })
  }
  return terms.map((term) => {
    const { info, read } = table.find(term.name)!
    return { ...term, hash: info.hash, read }
  })
}

/** What a merge is made of, as one hash: the same for the same tensors and weights, whatever they are called. */
const contentOf = (parts: readonly Part[]): Promise<string> =>
  sha256Hex(
    encodeUtf8(
      `merge\0${parts
        .map(({ hash, weight }) => `${hash}*${weight}`)
        .sort()
        .join("\0")}`,
    ),
  )

/** The merged adapter. */
async function mergeLoaded(hash: string, parts: readonly Part[]): Promise<LoadedAdapter> {
  const sources = []
  for (const part of parts) {
    const { forms, sizeBytes } = await part.read()
    sources.push({ ...part, forms, sizeBytes })
  }
  const forms = catForms(sources)
  return { hash, method: "merge", forms, sizeBytes: sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }
}
