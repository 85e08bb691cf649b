/**
 * @module GPT-2's table between bytes and printable characters, in which byte-level vocabularies are written, and its
 * way of cutting a text into words. Source: openai/gpt-2 `src/encoder.py`, `bytes_to_unicode`.
 */

/** GPT-2's word pattern. */
export const WORD_PATTERN = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

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
