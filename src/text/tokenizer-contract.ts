/**
 * @module What the rest of the project asks of a tokenizer and of a chat template.
 */

/** One message of a conversation. */
export interface ChatMessage {
  readonly role: string
  readonly content: string
  readonly [extra: string]: unknown
}

/** Text to ids and back. */
export interface Tokenizer {
  readonly vocabSize: number
  readonly bosId: number | null
  readonly eosId: number | null
  readonly padId: number | null
  /** Whether decoding is joining the tokens' bytes and nothing more. @default {false} */
  readonly byteLevel?: boolean
  /**
   * @param text any text; special tokens written in it become special ids only with `parseSpecial`
   * @param options.addSpecial add what the post-processor adds (a BOS, say). @default {false}
   * @param options.parseSpecial read special tokens written in the text. @default {true}
   * @param options.guard a character to delete once special tokens have been found: put inside the text of one, it makes
   *   that plain text
   */
  encode(
    text: string,
    options?: { readonly addSpecial?: boolean; readonly parseSpecial?: boolean; readonly guard?: string },
  ): number[]
  /** @param options.skipSpecial leave special tokens out. @default {true} */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string
  /** The text of one token, as it stands in the vocabulary, and its bytes where they are known. */
  tokenText(id: number): string
  tokenBytes(id: number): Uint8Array
  isSpecial(id: number): boolean
  /** Whether the base brings a chat template. */
  readonly hasChatTemplate: boolean
  /**
   * Renders a conversation by the base's own chat template.
   * @throws {EspalierError} `invalid_request` if the template refuses the messages, `unsupported` if there is none.
   */
  renderChat(
    messages: readonly ChatMessage[],
    options?: { readonly addGenerationPrompt?: boolean; readonly tools?: readonly unknown[] },
  ): string
}
