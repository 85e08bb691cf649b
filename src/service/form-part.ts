/**
 * @module A part of a form as it arrives: what a file upload is made of, before anything is known of its size.
 */

/** One part. Read its chunks before asking for the next part. */
export interface FormPart {
  readonly name: string
  /** Null for a plain field. */
  readonly filename: string | null
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Who asks, and how. */
export interface Caller {
  /** Whose files and jobs these are. @default {""} everybody's */
  readonly owner?: string
  /** The client's Idempotency-Key. */
  readonly idempotencyKey?: string
}
