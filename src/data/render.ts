/**
 * @module A row to token ids with labels.
 *
 * - A conversation is rendered by the base's chat template; assistant turns count, with the token that ends them.
 * - A prompt with its completion is rendered as a user's and an assistant's turn where the base has a chat template.
 *   Without one, or with `chatTemplate: false`, it is prompt + completion + end-of-sequence, and the completion and the
 *   end token count.
 * - A text is text + end-of-sequence, and every token counts.
 */
import { EspalierError } from "../core/errors.ts"
import { encodeChat } from "../text/chat.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { type LossOn, labelsOf, type Span } from "./mask.ts"
import type { Row, RowMessage } from "./rows.ts"

/** A row's tokens and the spans that count; null where the spans can't be told. */
interface Encoded {
  readonly ids: Int32Array
  readonly spans: readonly Span[] | null
}

/** Options of {@link renderRow}. */
export interface RenderOptions {
  /** @default {"completion"} */
  readonly lossOn?: LossOn
  /** Render prompts with completions by the chat template where there is one. @default {true} */
  readonly chatTemplate?: boolean
}

/** A row as tokens, before any cut. */
export interface Rendered {
  readonly ids: Int32Array
  readonly labels: Int32Array
}

/**
 * Renders one row.
 * @throws {EspalierError} `unsupported` for a conversation where there is no chat template or its turns can't be found,
 *   `invalid_request` where the template refuses the messages.
 */
export function renderRow(row: Row, tokenizer: Tokenizer, options: RenderOptions = {}): Rendered {
  const { lossOn = "completion", chatTemplate = true } = options
  const { ids, spans } = encodeRow(row, tokenizer, chatTemplate && tokenizer.hasChatTemplate)
  if (spans === null && lossOn === "completion") {
    throw new EspalierError(
      "unsupported",
      "The chat template rewrites messages, so that assistant turns can't be found",
      {
        hint: "Learn from whole rows with --loss-on all",
      },
    )
  }
  return { ids, labels: lossOn === "all" ? ids.slice() : labelsOf(ids, spans ?? []) }
}

function encodeRow(row: Row, tokenizer: Tokenizer, asTurns: boolean): Encoded {
  if (row.kind === "text") {
    const ids = withEnd(tokenizer.encode(row.text, { addSpecial: true }), tokenizer)
    return { ids: Int32Array.from(ids), spans: [{ start: 0, end: ids.length }] }
  }
  if (row.kind === "chat" && !asTurns) {
    throw new EspalierError("unsupported", "Messages need a chat template", {
      hint: "Use prompt and completion rows, or a base whose tokenizer_config.json has a chat_template",
    })
  }
  if (asTurns) return encodeTurns(row.messages, row.kind === "chat" ? row.tools : undefined, tokenizer)
  const pair = row as Extract<Row, { kind: "pair" }>
  // Encoded apart, so that the prompt's tokens are those that a request with this prompt will have.
  const prompt = tokenizer.encode(pair.prompt, { addSpecial: true })
  const ids = withEnd(prompt.concat(tokenizer.encode(pair.completion)), tokenizer)
  return { ids: Int32Array.from(ids), spans: [{ start: prompt.length, end: ids.length }] }
}

function encodeTurns(
  messages: readonly RowMessage[],
  tools: readonly unknown[] | undefined,
  tokenizer: Tokenizer,
): Encoded {
  const plain = messages.map(({ message }) => message)
  const { ids, spans } = encodeChat(tokenizer, plain, tools ? { tools } : {})
  const found = new Set(spans.map(({ message }) => message))
  // A turn that was to count and can't be found would be left out of the loss without a word.
  const isWhole = messages.every(({ counts }, message) => !counts || found.has(message))
  const counting = isWhole ? spans.filter(({ message }) => messages[message]!.counts) : null
  return { ids: Int32Array.from(ids), spans: counting }
}

/** The ids with the end-of-sequence token, unless there is none or it stands there already. */
function withEnd(ids: number[], { eosId }: Tokenizer): number[] {
  return eosId === null || ids.at(-1) === eosId ? ids : [...ids, eosId]
}
