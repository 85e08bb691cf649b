/**
 * @module What a base would begin to say by itself, and how sure it is of it.
 *
 * Uncertainty of the first tokens as a sign of what a model doesn't know: Jiang et al. 2023, "Active Retrieval Augmented
 * Generation", https://arxiv.org/abs/2305.06983.
 */
import type { EngineApi } from "../serve/engine-api.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { Draft } from "./features.ts"
import { type Reading, saysUnknown } from "./reading.ts"

/** Tokens of a draft. */
const TOKENS = 8

/** Drafts an answer without any adapter, greedily. @throws {EspalierError} What the engine refuses the conversation for. */
export async function draftOf(
  engine: Pick<EngineApi, "generate">,
  { messages, reading }: { messages: readonly ChatMessage[]; reading: Reading },
  signal?: AbortSignal,
): Promise<Draft> {
  const generation = await engine.generate(
    { prompts: [{ messages }], adapter: null, maxTokens: TOKENS, sampling: { temperature: 0 }, logprobs: 0 },
    signal ? { signal } : {},
  )
  let text = ""
  let sum = 0
  let count = 0
  for await (const event of generation.events) {
    if (event.type !== "text-delta") continue
    text += event.text
    for (const { logprob } of event.tokens) {
      sum += logprob ?? 0
      count++
    }
  }
  return { text, meanLogprob: count === 0 ? 0 : sum / count, unknown: saysUnknown(text, reading) }
}
