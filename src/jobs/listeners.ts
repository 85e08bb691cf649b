/**
 * @module Who wants to know of news, by job.
 */

/** Listeners by job. */
export interface Listeners {
  /** @returns a function that takes the listener away */
  add(job: string, listener: () => void): () => void
  notify(job: string): void
}

/** No listeners yet. */
export function createListeners(): Listeners {
  const all = new Map<string, Set<() => void>>()
  return {
    add(job, listener) {
      const set = all.get(job) ?? new Set()
      all.set(job, set.add(listener))
      return () => {
        set.delete(listener)
        if (set.size === 0 && all.get(job) === set) all.delete(job)
      }
    },
    notify(job) {
      for (const listener of [...(all.get(job) ?? [])]) listener()
    },
  }
}
