/**
 * @module One at a time, first come first served: a decoder's calls must not overlap.
 */

/** Runs jobs one after the other. */
export interface Exclusive {
  /** Waits for the jobs before it, runs `job`, and gives what it gives. A job that fails does not stop the next. */
  run<T>(job: () => T | Promise<T>): Promise<T>
}

/** A new queue of jobs. */
export function createExclusive(): Exclusive {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    run(job) {
      const result = tail.then(job)
      tail = result.catch(() => {})
      return result
    },
  }
}
