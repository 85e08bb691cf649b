/**
 * @module The KV caches of all sequences, side by side, so that the first n of them are one tensor: the batch of a step.
 * Room grows as sequences come and grow, in slots by doubling, and comes down again when the longest have gone.
 */
import { freeNow } from "../core/bytes.ts"
import { copyValues } from "../core/copy-values.ts"
import { f32, type Tensor } from "../core/tensor.ts"

/** Sizes of a base that decide its caches. */
export interface KvShape {
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
}

/** Room comes in blocks of so many positions. */
const BLOCK = 64
/** Room of more than so many times what is needed is given back: attention costs what there is room for, at each token. */
const AMPLE = 2

/**
 * Slots of positions of keys and values. What is not filled is zero: attention multiplies it by a weight of zero, and what
 * a broken adapter may have left there (not a number) would reach whoever has the slot next.
 */
export class KvPool {
  readonly #shape: KvShape
  readonly #maxPositions: number
  readonly #headsApart: boolean
  #slots = 0
  #positions = 0
  /** Keys of layer 0, values of layer 0, keys of layer 1 and so on: [slots, kvHeads, positions, headDim] each. */
  #caches: Float32Array[] = []
  /** Positions filled, by slot. */
  #lengths: number[] = []
  #changes = 0
  /** Views by slot and count: a batch that goes on as it is asks for the same at each token, and prompts are read between. */
  readonly #viewed = new Map<string, Record<string, Tensor<"f32">>>()

  /** @param headsApart whether views have an axis of 1 after the heads: see `DecodeTarget`. @default {false} */
  constructor(shape: KvShape, maxPositions: number, headsApart = false) {
    this.#shape = shape
    this.#maxPositions = maxPositions
    this.#headsApart = headsApart
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#caches.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** How often anything in here was changed: copies are as good as new while this stays. */
  get changes(): number {
    return this.#changes
  }

  /** Positions filled in a slot. */
  length(slot: number): number {
    return this.#lengths[slot] ?? 0
  }

  /**
   * Makes room for `slots` slots of `positions` positions; what is filled stays.
   * @param positions that the longest of the sequences which are about to grow will have
   */
  reserve(slots: number, positions: number): void {
    const { layers, kvHeads, headDim } = this.#shape
    const newSlots = slots <= this.#slots ? this.#slots : Math.max(slots, 2 * this.#slots)
    const needed = Math.max(positions, ...this.#lengths, 1)
    const blocks = Math.min(this.#maxPositions, BLOCK * Math.ceil(needed / BLOCK))
    const isAmple = this.#positions > AMPLE * blocks
    const newPositions = blocks > this.#positions || isAmple ? blocks : this.#positions
    if (newSlots === this.#slots && newPositions === this.#positions) return
    this.#changes++
    this.#viewed.clear()
    for (let i = 0; i < 2 * layers; i++) {
      const cache = new Float32Array(newSlots * kvHeads * newPositions * headDim)
      const old = this.#caches[i]
      for (let slot = 0; old && slot < this.#slots; slot++)
        for (let head = 0; head < kvHeads; head++) {
          const from = this.#at(slot, head, 0)
          const filled = this.length(slot) * headDim
          cache.set(old.subarray(from, from + filled), (slot * kvHeads + head) * newPositions * headDim)
        }
      // One after the other, so that not all are held twice.
      this.#caches[i] = cache
      if (old) freeNow(old)
    }
    this.#slots = newSlots
    this.#positions = newPositions
    while (this.#lengths.length < newSlots) this.#lengths.push(0)
  }

  /**
   * The caches of `count` slots from one on, [count, kvHeads, positions, headDim] or [count, kvHeads, 1, positions, headDim],
   * as the decoding graph names them. The same tensors come again as long as there is the same room.
   */
  views(slot: number, count: number): Readonly<Record<string, Tensor<"f32">>> {
    const key = `${slot}:${count}`
    const known = this.#viewed.get(key)
    if (known) return known
    const { layers, kvHeads, headDim } = this.#shape
    const size = kvHeads * this.#positions * headDim
    const views: Record<string, Tensor<"f32">> = {}
    for (let layer = 0; layer < layers; layer++)
      for (const [i, kind] of (["k", "v"] as const).entries())
        views[`past_${kind}.${layer}`] = f32(
          [count, kvHeads, ...(this.#headsApart ? [1] : []), this.#positions, headDim],
          this.#caches[2 * layer + i]!.subarray(slot * size, (slot + count) * size),
        )
    this.#viewed.set(key, views)
    return views
  }

  /**
   * Appends what a run computed to `count` slots from one on.
   * @param added [layers * 2 * count, kvHeads, tokens, headDim], as the decoding graph gives it
   */
  append(slot: number, count: number, tokens: number, added: Float32Array): void {
    this.#changes++
    const { kvHeads, headDim } = this.#shape
    const size = tokens * headDim
    let from = 0
    for (const cache of this.#caches)
      for (let row = slot; row < slot + count; row++)
        for (let head = 0; head < kvHeads; head++) {
          copyValues(added, from, size, cache, this.#at(row, head, this.length(row)))
          from += size
        }
    for (let row = slot; row < slot + count; row++) this.#lengths[row] = this.length(row) + tokens
  }

  /** Positions [from, to) of a slot, in the order that {@link append} takes one slot's. */
  read(slot: number, from: number, to: number): Float32Array {
    const { layers, kvHeads, headDim } = this.#shape
    const size = (to - from) * headDim
    const found = new Float32Array(2 * layers * kvHeads * size)
    let at = 0
    for (const cache of this.#caches)
      for (let head = 0; head < kvHeads; head++) {
        const start = this.#at(slot, head, from)
        found.set(cache.subarray(start, start + size), at)
        at += size
      }
    return found
  }

  /** Empties a slot. */
  clear(slot: number): void {
    this.#changes++
    this.#erase(slot, this.length(slot))
    this.#lengths[slot] = 0
  }

  /** Lets two slots change places. */
  swap(a: number, b: number): void {
    this.#changes++
    const { kvHeads, headDim } = this.#shape
    const [filled, other] = [this.length(a), this.length(b)]
    const longer = Math.max(filled, other) * headDim
    for (const cache of this.#caches)
      for (let head = 0; head < kvHeads; head++) {
        const [atA, atB] = [this.#at(a, head, 0), this.#at(b, head, 0)]
        const kept = filled > 0 && other > 0 ? cache.slice(atA, atA + longer) : null
        if (kept) {
          cache.copyWithin(atA, atB, atB + longer)
          cache.set(kept, atB)
        } else if (filled > 0) cache.copyWithin(atB, atA, atA + longer)
        else cache.copyWithin(atA, atB, atB + longer)
      }
    this.#lengths[a] = other
    this.#lengths[b] = filled
    if (filled > 0 !== other > 0) this.#erase(filled > 0 ? a : b, Math.max(filled, other))
  }

  /** Gives all memory back, at once: the caches of a hundred answers would else lie about until a collector comes. */
  release(): void {
    this.#changes++
    for (const cache of this.#caches) freeNow(cache)
    this.#viewed.clear()
    this.#slots = 0
    this.#positions = 0
    this.#caches = []
    this.#lengths = []
  }

  /** Makes the first positions of a slot zero. */
  #erase(slot: number, positions: number): void {
    const { kvHeads, headDim } = this.#shape
    for (const cache of this.#caches)
      for (let head = 0; head < kvHeads; head++) {
        const from = this.#at(slot, head, 0)
        cache.fill(0, from, from + positions * headDim)
      }
  }

  /** Where a position of a slot's head begins. */
  #at(slot: number, head: number, position: number): number {
    const { kvHeads, headDim } = this.#shape
    return ((slot * kvHeads + head) * this.#positions + position) * headDim
  }
}
