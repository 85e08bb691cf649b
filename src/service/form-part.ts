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

/**
 * Chunks as text.
 * @param most characters
 * @param tooLong the error of a longer one
 */
export async function textOf(
  chunks: AsyncIterable<Uint8Array>,
  most = Number.POSITIVE_INFINITY,
  tooLong: () => Error = () => new RangeError("The text is too long"),
): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > most) throw tooLong()
  }
  return text + decoder.decode()
}

/** Who asks, and how. */
export interface Caller {
  /** Whose files and jobs these are. @default {""} everybody's */
  readonly owner?: string
  /** The client's Idempotency-Key. */
  readonly idempotencyKey?: string
}
