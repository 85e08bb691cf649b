/**
 * @module How many positions a sequence may be asked to have: at least those of a shortest question and its answer, at most the base's.
 */
import { EspalierError } from "../core/errors.ts"
import type { Base } from "../models/base.ts"
import { encodeChat } from "../text/chat.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"

/**
 * Holds a context that was asked for against what a conversation takes and what the base has.
 * @param asked positions for prompt and answer together
 * @throws {EspalierError} `invalid_request` saying the bounds and where they come from
 */
export function checkContext(asked: number, { name, config }: Base, tokenizer: Tokenizer): void {
  const { hasChatTemplate } = tokenizer
  const shortest = hasChatTemplate
    ? encodeChat(tokenizer, [{ role: "user", content: "?" }], { addGenerationPrompt: true }).ids.length
    : 1
  const [least, most] = [shortest + 1, config.contextLength]
  if (Number.isSafeInteger(asked) && asked >= least && asked <= most) return
  const question = hasChatTemplate
    ? `a question of one token takes ${shortest} by the base's chat template, and an answer at least one more`
    : "a prompt and an answer take at least one each"
  const why = asked > most ? `base "${name}" holds no more` : question
  throw new EspalierError(
    "invalid_request",
    `Expected a context of ${least} to ${most} tokens but found ${asked}: ${why}`,
    { param: "context" },
  )
}
