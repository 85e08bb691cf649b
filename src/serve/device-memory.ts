/**
 * @module What a decoder leaves in an engine's own memory, as a GPU's, from one run to the next: the caches as the last run left
 * them, and what adapters feed. The pool of caches stays whole on this side: the new keys and values of a run come here with its
 * logits, and whenever a batch has changed the caches are fed from here once.
 */
import type { Tensor } from "../core/tensor.ts"
import type { DeviceTensor, Runtime } from "../runtime/runtime.ts"
import { cacheName } from "./decode-graph.ts"
import type { KvPool } from "./kv-pool.ts"

/** Which caches: `rows` slots of a pool from one on. */
export interface CacheRows {
  readonly caches: KvPool
  readonly slot: number
  readonly rows: number
}

/** Whose feeds: one sequence's, which reads its prompt, or a batch's. */
export type FeedOwner = "sequence" | "batch"

/** A decoder's tensors in an engine's memory. */
export class DeviceMemory {
  readonly #upload: NonNullable<Runtime["upload"]>
  readonly #layers: number
  #held: (CacheRows & { readonly changes: number; readonly present: ReadonlyMap<string, DeviceTensor> }) | null = null
  /** By owner and input name: what lies there, and what it is a copy of. */
  readonly #fed = new Map<string, { readonly source: Tensor; readonly copy: DeviceTensor }>()

  constructor(upload: NonNullable<Runtime["upload"]>, layers: number) {
    this.#upload = upload
    this.#layers = layers
  }

  /** The caches of these rows as the decoding graph names them, if nothing has changed them since a run left them. */
  pastOf({ caches, slot, rows }: CacheRows): Record<string, DeviceTensor> | null {
    const held = this.#held
    if (held?.caches !== caches || held.slot !== slot || held.rows !== rows || held.changes !== caches.changes)
      return null
    const past: Record<string, DeviceTensor> = {}
    for (let layer = 0; layer < this.#layers; layer++)
      for (const kind of ["k", "v"] as const)
        past[cacheName("past", kind, layer)] = held.present.get(cacheName("present", kind, layer))!
    return past
  }

  /** Takes the caches that a run left, once the pool has taken what was new in them. */
  hold(rows: CacheRows, present: ReadonlyMap<string, DeviceTensor>): void {
    this.#release()
    this.#held = { ...rows, changes: rows.caches.changes, present }
  }

  /** Feeds in the engine's memory; those that were fed before are there already. */
  async feeds(owner: FeedOwner, feeds: Readonly<Record<string, Tensor<"f32">>>): Promise<Record<string, DeviceTensor>> {
    const copies: Record<string, DeviceTensor> = {}
    for (const [name, source] of Object.entries(feeds)) {
      const key = `${owner}:${name}`
      let fed = this.#fed.get(key)
      if (fed?.source !== source) {
        fed?.copy.dispose()
        this.#fed.delete(key)
        fed = { source, copy: await this.#upload(source) }
        this.#fed.set(key, fed)
      }
      copies[name] = fed.copy
    }
    return copies
  }

  /** Gives everything back. */
  clear(): void {
    this.#release()
    for (const { copy } of this.#fed.values()) copy.dispose()
    this.#fed.clear()
  }

  #release(): void {
    for (const tensor of this.#held?.present.values() ?? []) tensor.dispose()
    this.#held = null
  }
}
