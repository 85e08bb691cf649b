/**
 * @module GPT-2's table between bytes and printable characters, in which byte-level vocabularies are written, and its
 * way of cutting a text into words. A printable byte stands for itself, the other 68 for U+0100 and up: a space is `Ġ`.
 * Source: openai/gpt-2 `src/encoder.py`, `bytes_to_unicode`.
 */

/**
 * GPT-2's word pattern, as a source to compile with the flags `gu`. Its `\s` is written out as White_Space, which it
 * means in the Hugging Face library: JavaScript's `\s` takes U+FEFF in and leaves U+0085 out, and ids would differ.
 */
export const WORD_SOURCE =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+" +
  "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+"

/** The character of each byte. */
export function byteCharacters(): string[] {
  const characters = new Array<string>(256)
  let next = 256
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    characters[byte] = String.fromCharCode(printable ? byte : next++)
  }
  return characters
}

/** The byte of each character of the table. */
export function characterBytes(): Map<string, number> {
  return new Map(byteCharacters().map((character, byte) => [character, byte]))
}
