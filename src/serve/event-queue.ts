/**
 * @module A queue between the scheduler, which never waits for a reader, and one reader, which may be slow. What it
 * holds is bounded by the request's own token limit.
 */

/** Written by one side with `push`, `end` and `fail`, read by the other as an async iterable, once. */
export class EventQueue<T> implements AsyncIterable<T> {
  #items: T[] = []
  #state: "open" | "ended" | "failed" = "open"
  #error: unknown
  #wake: (() => void) | null = null
  readonly #onAbandon: () => void

  /** @param onAbandon called when the reader leaves before the end */
  constructor(onAbandon: () => void = () => {}) {
    this.#onAbandon = onAbandon
  }

  /** Adds an item; nothing happens once the queue is closed. */
  push(item: T): void {
    if (this.#state !== "open") return
    this.#items.push(item)
    this.#wakeReader()
  }

  /** No more items will come. */
  end(): void {
    if (this.#state !== "open") return
    this.#state = "ended"
    this.#wakeReader()
  }

  /** The reader gets what is queued, then `error`. */
  fail(error: unknown): void {
    if (this.#state !== "open") return
    this.#state = "failed"
    this.#error = error
    this.#wakeReader()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let finished = false
    try {
      while (true) {
        while (this.#items.length > 0) yield this.#items.shift()!
        if (this.#state === "ended") {
          finished = true
          return
        }
        if (this.#state === "failed") {
          finished = true
          throw this.#error
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      if (!finished) this.#onAbandon()
    }
  }

  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
