/**
 * @module One job at a time for each key: whoever asks for one that is under way gets what it gives.
 */

/** Runs `job`, or waits for that of the same key. */
export type OneFlight<T> = (key: string, job: () => Promise<T>) => Promise<T>

/** Keys without jobs. */
export function createOneFlight<T>(): OneFlight<T> {
  const under = new Map<string, Promise<T>>()
  return (key, job) => {
    const known = under.get(key)
    if (known) return known
    const begun = job().finally(() => under.delete(key))
    under.set(key, begun)
    return begun
  }
}
