/**
 * @module Bytes and text.
 */

/** UTF-8 bytes of a text. */
export const encodeUtf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Text of UTF-8 bytes; a byte order mark is dropped, wrong bytes become U+FFFD. */
export const decodeUtf8 = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The bytes behind a typed array, not copied. */
export const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** Bytes one after the other. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, { length }) => total + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/**
 * Gives an array's memory back at once, where the runtime can (Node from 21 on): large ones that wait for a collector
 * pile up. The array, and every other view of its buffer, is empty afterwards.
 */
export function freeNow({ buffer }: ArrayBufferView): void {
  ;(buffer as ArrayBuffer & { transfer?(size: number): ArrayBuffer }).transfer?.(0)
}
