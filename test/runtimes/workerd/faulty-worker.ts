/**
 * @module The worker, with a bucket that fails when it is told to: `POST /faults` with `{"key", "how"}` has every put of a key with that
 * beginning refused (`refuse`) or never end (`hang`), until it is told otherwise.
 */
import { EspalierEngine, type WorkerBindings } from "../../../src/entry/worker.ts"
import type { Bucket } from "../../../src/store/bucket-folder.ts"

/** What a bucket fails at. */
export interface Fault {
  /** The beginning of keys; null for none. */
  readonly key: string | null
  readonly how: "refuse" | "hang"
}

/** The engine over that bucket. */
export class FaultyEngine extends EspalierEngine {
  readonly #faults: { now: Fault }

  constructor(state: { readonly id: object }, bindings: WorkerBindings) {
    const faults: { now: Fault } = { now: { key: null, how: "refuse" } }
    super(state, { ...bindings, BUCKET: failing(bindings.BUCKET, faults) })
    this.#faults = faults
  }

  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/faults") return super.fetch(request)
    this.#faults.now = (await request.json()) as Fault
    return new Response()
  }
}

function failing(bucket: Bucket, faults: { readonly now: Fault }): Bucket {
  return {
    head: (key) => bucket.head(key),
    get: (key, options) => bucket.get(key, options),
    list: (options) => bucket.list(options),
    async put(key, value, options) {
      const { key: wrong, how } = faults.now
      if (wrong === null || !key.startsWith(wrong)) return bucket.put(key, value, options)
      if (how === "refuse") throw new Error("put: We encountered an internal error. Please try again. (10001)")
      // workerd ends what waits for nothing, so it waits for a clock.
      while (true) await new Promise((resolve) => setTimeout(resolve, 100))
    },
  }
}
