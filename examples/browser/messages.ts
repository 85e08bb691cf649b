/**
 * @module What the page and its Worker say to each other.
 */

/** What the page asks for; each is answered by messages of its `id`. */
export type Question = { readonly id: number } & (
  | {
      readonly kind: "open"
      readonly backend: "wasm" | "webgpu"
      /** Adapters of before, as zip files by their names. */
      readonly adapters: ReadonlyMap<string, Uint8Array>
    }
  | {
      readonly kind: "train"
      readonly name: string
      readonly method: string
      readonly examples: readonly Readonly<Record<string, unknown>>[]
      readonly epochs: number
      readonly learningRate: number | null
    }
  | { readonly kind: "chat"; readonly adapter: string | null; readonly text: string }
  | { readonly kind: "stop" }
)

/** A question without its number. */
export type Asked = Question extends infer T ? (T extends Question ? Omit<T, "id"> : never) : never

/** What the Worker answers: any number of steps or pieces, then `done` or `failed`. */
export type Answer = { readonly id: number } & (
  | { readonly kind: "step"; readonly step: number; readonly steps: number; readonly loss: number }
  | { readonly kind: "piece"; readonly text: string }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly message: string; readonly code: string }
)

/** What `open` is answered by. */
export interface Opened {
  readonly base: string
  readonly backend: string
}

/** What `train` is answered by. */
export interface TrainedZip {
  readonly firstLoss: number | null
  readonly lastLoss: number | null
  /** The adapter's folder in PEFT's layout. */
  readonly zip: Uint8Array<ArrayBuffer>
}
