/**
 * @module Completions as schemas for the API document.
 */
import * as v from "valibot"
import type { CitationBody, RetrievalBody } from "../../src/service/retrieval-wire.ts"
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatLogprobs,
  Completion,
  UsageBody,
} from "../../src/service/wire.ts"
import { answerOf } from "./answers.ts"

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

const usage = answerOf<UsageBody>()(
  v.object({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: v.object({ cached_tokens: count }),
  }),
)

const token = { token: v.string(), logprob: v.number(), bytes: v.array(count) } as const
const chatLogprobs = answerOf<ChatLogprobs>()(
  v.object({
    content: v.array(v.object({ ...token, top_logprobs: v.array(v.object(token)) })),
    refusal: v.null(),
  }),
)

const citation = answerOf<CitationBody>()(
  v.object({
    type: v.literal("file_citation"),
    file_citation: v.object({
      document_id: v.string(),
      title: v.string(),
      chunk: count,
      start: count,
      end: count,
    }),
  }),
)

const retrieval = v.object({
  mode: v.picklist(["off", "always", "auto"]),
  collection: v.string(),
  retrieved: v.boolean(),
  abstained: v.boolean(),
  probability: v.nullable(v.number()),
  threshold: v.nullable(v.number()),
  features: v.nullable(v.custom<NonNullable<RetrievalBody["features"]>>(() => true)),
  passages: v.array(
    v.object({
      document_id: v.string(),
      title: v.string(),
      chunk: count,
      start: count,
      end: count,
      score: v.number(),
      relevance: v.number(),
      text: v.string(),
    }),
  ),
})

const finish = v.nullable(v.picklist(["stop", "length", "tool_calls"]))
const toolCall = {
  id: v.string(),
  type: v.literal("function"),
  function: v.object({ name: v.string(), arguments: v.string() }),
} as const
const head = { id: v.string(), created: count, model: v.string(), system_fingerprint: v.string() } as const
const facts = v.object({ retrieval: answerOf<RetrievalBody>()(retrieval) })

/** A whole chat completion. */
export const chatCompletion = answerOf<ChatCompletion>()(
  v.object({
    ...head,
    object: v.literal("chat.completion"),
    choices: v.array(
      v.object({
        index: count,
        message: v.object({
          role: v.literal("assistant"),
          content: v.nullable(v.string()),
          refusal: v.nullable(v.string()),
          tool_calls: v.exactOptional(v.array(v.object(toolCall))),
          annotations: v.exactOptional(v.array(citation)),
        }),
        logprobs: v.nullable(chatLogprobs),
        finish_reason: finish,
      }),
    ),
    usage,
    x_espalier: v.exactOptional(facts),
  }),
)

/** A piece of a chat completion. */
export const chatCompletionChunk = answerOf<ChatCompletionChunk>()(
  v.object({
    ...head,
    object: v.literal("chat.completion.chunk"),
    choices: v.array(
      v.object({
        index: count,
        delta: v.object({
          role: v.exactOptional(v.literal("assistant")),
          content: v.exactOptional(v.string()),
          refusal: v.exactOptional(v.string()),
          tool_calls: v.exactOptional(v.array(v.object({ index: count, ...toolCall }))),
          annotations: v.exactOptional(v.array(citation)),
        }),
        logprobs: v.nullable(chatLogprobs),
        finish_reason: finish,
      }),
    ),
    usage: v.exactOptional(v.nullable(usage)),
    x_espalier: v.exactOptional(facts),
  }),
)

/** A text completion, or a piece of one. */
export const completion = answerOf<Completion>()(
  v.object({
    ...head,
    object: v.literal("text_completion"),
    choices: v.array(
      v.object({
        index: count,
        text: v.string(),
        logprobs: v.nullable(
          v.object({
            tokens: v.array(v.string()),
            token_logprobs: v.array(v.nullable(v.number())),
            top_logprobs: v.array(v.nullable(v.record(v.string(), v.number()))),
            text_offset: v.array(count),
          }),
        ),
        finish_reason: finish,
      }),
    ),
    usage: v.exactOptional(v.nullable(usage)),
  }),
)
