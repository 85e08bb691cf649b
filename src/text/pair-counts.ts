/**
 * @module How often each pair of neighbouring tokens occurs in a set of counted words, kept up to date while pairs are
 * merged: a merge touches the words that hold the pair, and nothing else.
 */

/** A word as token ids, and how often it occurs. */
export interface CountedWord {
  ids: number[]
  readonly count: number
}

/** A pair of neighbouring tokens and how often it occurs. */
export interface Pair {
  readonly left: number
  readonly right: number
  readonly count: number
}

// Two ids in one number: ids stay below 2^26, so the key is exact, and keys compare as (left, right).
const shift = 2 ** 26
const keyOf = (left: number, right: number): number => left * shift + right

/** Pair counts with a priority queue. Entries of the queue may be out of date; they are put right when they come up. */
export class PairCounts {
  readonly #words: CountedWord[]
  readonly #counts = new Map<number, number>()
  readonly #wordsWith = new Map<number, Set<number>>()
  readonly #queue: { readonly key: number; readonly count: number }[] = []

  constructor(words: CountedWord[]) {
    this.#words = words
    for (const [index, { ids, count }] of words.entries()) {
      for (let at = 1; at < ids.length; at++) this.#add(keyOf(ids[at - 1]!, ids[at]!), count, index)
    }
    for (const [key, count] of this.#counts) this.#push(key, count)
  }

  /** Takes out the most frequent pair, the one with the lowest ids among equals; null if none is left. */
  takeBest(): Pair | null {
    for (let top = this.#pop(); top !== undefined; top = this.#pop()) {
      const { key } = top
      const count = this.#counts.get(key) ?? 0
      if (count === top.count) return { left: Math.floor(key / shift), right: key % shift, count }
      if (count > 0) this.#push(key, count)
    }
    return null
  }

  /** Replaces the pair by the token `merged` in every word, from the left. */
  merge({ left, right }: Pair, merged: number): void {
    const key = keyOf(left, right)
    const holders = this.#wordsWith.get(key) ?? new Set()
    this.#wordsWith.delete(key)
    const grown = new Set<number>()
    for (const index of holders) this.#mergeIn(index, left, right, merged, grown)
    this.#counts.delete(key)
    for (const pair of grown) {
      const count = this.#counts.get(pair) ?? 0
      if (count > 0) this.#push(pair, count)
    }
  }

  #mergeIn(index: number, left: number, right: number, merged: number, grown: Set<number>): void {
    const { ids, count } = this.#words[index]!
    const next: number[] = []
    const change = (a: number, b: number, by: number): void => {
      const key = keyOf(a, b)
      this.#add(key, by * count, index)
      if (by > 0) grown.add(key)
    }
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at]!
      if (id !== left || ids[at + 1] !== right) {
        next.push(id)
        continue
      }
      const before = next.at(-1)
      if (before !== undefined) {
        change(before, left, -1)
        change(before, merged, 1)
      }
      const after = ids[at + 2]
      if (after !== undefined) {
        change(right, after, -1)
        change(merged, after, 1)
      }
      next.push(merged)
      at++
    }
    this.#words[index]!.ids = next
  }

  #add(key: number, by: number, word: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by)
    if (by < 0) return
    const holders = this.#wordsWith.get(key)
    if (holders === undefined) this.#wordsWith.set(key, new Set([word]))
    else holders.add(word)
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#queue[a]!, this.#queue[b]!]
    return x.count !== y.count ? x.count > y.count : x.key < y.key
  }

  #push(key: number, count: number): void {
    const queue = this.#queue
    queue.push({ key, count })
    for (let at = queue.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #pop(): { readonly key: number; readonly count: number } | undefined {
    const queue = this.#queue
    if (queue.length === 0) return undefined
    this.#swap(0, queue.length - 1)
    const top = queue.pop()
    for (let at = 0; ; ) {
      let best = at
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < queue.length && this.#before(child, best)) best = child
      if (best === at) return top
      this.#swap(at, best)
      at = best
    }
  }

  #swap(a: number, b: number): void {
    const queue = this.#queue
    ;[queue[a], queue[b]] = [queue[b]!, queue[a]!]
  }
}
