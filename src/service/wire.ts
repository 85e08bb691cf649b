/**
 * @module OpenAI's shapes: what requests may hold, with a lower and an upper bound for every number, and what answers
 * look like. Unknown fields are ignored. Field names are OpenAI's, and vLLM's where OpenAI has none.
 *
 * Sources: https://platform.openai.com/docs/api-reference/chat and .../completions;
 * https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (top_k, min_p, repetition_penalty, ignore_eos).
 */
import * as v from "valibot"
import { type CitationBody, type RetrievalBody, retrievalField } from "./retrieval-wire.ts"
import { type ToolCallBody, toolCallsField, toolChoiceField, toolsField } from "./tools-wire.ts"

/** Completions of one request at most, over all its prompts. */
export const maxChoices = 32

const number = (low: number, high: number) => v.nullish(v.pipe(v.number(), v.minValue(low), v.maxValue(high)))
const integer = (low: number, high: number) =>
  v.nullish(v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high)))
/** Valibot takes lists for objects. */
const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)
const flag = v.nullish(v.boolean(), false)

/** The most that a token count may be; contexts are far smaller. */
const mostTokens = 1_000_000

const modelName = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
const stopText = v.pipe(v.string(), v.minLength(1), v.maxLength(256))

/** llama.cpp's weights of adapters, by their ids. */
export const loraScales = v.pipe(
  v.array(
    v.object({
      id: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1)),
      scale: v.pipe(v.number(), v.minValue(-100), v.maxValue(100)),
    }),
  ),
  v.maxLength(16),
)

const generationFields = {
  model: modelName,
  stream: flag,
  stream_options: v.nullish(v.object({ include_usage: flag })),
  n: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8)), 1),
  stop: v.nullish(v.union([stopText, v.pipe(v.array(stopText), v.maxLength(16))])),
  temperature: number(0, 2),
  top_p: number(0, 1),
  top_k: integer(-1, mostTokens),
  min_p: number(0, 1),
  repetition_penalty: number(0.01, 10),
  presence_penalty: number(-2, 2),
  frequency_penalty: number(-2, 2),
  logit_bias: v.nullish(
    v.pipe(
      v.custom<object>((value) => isRecord(value), "Expected an object of token ids and numbers"),
      v.record(
        v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,8})$/, "Expected a token id")),
        v.pipe(v.number(), v.minValue(-100), v.maxValue(100)),
      ),
      v.maxEntries(1024),
    ),
  ),
  seed: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - maxChoices),
  ignore_eos: flag,
  lora: v.nullish(loraScales),
}

const textParts = v.pipe(v.array(v.object({ type: v.literal("text"), text: v.string() })), v.maxLength(256))

const content = v.pipe(
  v.union([v.string(), textParts]),
  v.transform((parts) => (typeof parts === "string" ? parts : parts.map((part) => part.text).join(""))),
)

const message = v.variant("role", [
  v.object({ role: v.picklist(["system", "developer", "user"]), content }),
  v.object({ role: v.literal("assistant"), content: v.nullish(content), tool_calls: toolCallsField }),
  v.object({ role: v.literal("tool"), content, tool_call_id: v.pipe(v.string(), v.maxLength(256)) }),
])

const responseFormat = v.variant("type", [
  v.object({ type: v.literal("text") }),
  v.object({ type: v.literal("json_object") }),
  v.object({
    type: v.literal("json_schema"),
    json_schema: v.object({
      name: v.pipe(v.string(), v.regex(/^[a-zA-Z0-9_-]{1,64}$/, "Expected 1 to 64 letters, digits, _ and -")),
      description: v.nullish(v.pipe(v.string(), v.maxLength(4096))),
      schema: v.nullish(v.custom<object>((value) => isRecord(value), "Expected a JSON schema")),
      strict: v.nullish(v.boolean()),
    }),
  }),
])

/** POST /v1/chat/completions. Text parts of a message are joined. */
export const chatRequest = v.object({
  ...generationFields,
  messages: v.pipe(v.array(message), v.minLength(1), v.maxLength(2048)),
  max_tokens: integer(1, mostTokens),
  max_completion_tokens: integer(1, mostTokens),
  logprobs: flag,
  top_logprobs: integer(0, 20),
  response_format: v.nullish(responseFormat),
  retrieval: retrievalField,
  tools: toolsField,
  tool_choice: toolChoiceField,
})

const tokenIds = v.pipe(
  v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1))),
  v.minLength(1),
  v.maxLength(mostTokens),
)

/** POST /v1/completions. */
export const completionRequest = v.object({
  ...generationFields,
  prompt: v.union([
    v.string(),
    tokenIds,
    v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(maxChoices)),
    v.pipe(v.array(tokenIds), v.minLength(1), v.maxLength(maxChoices)),
  ]),
  max_tokens: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(mostTokens)), 16),
  logprobs: integer(0, 20),
  echo: flag,
  best_of: integer(1, 8),
  suffix: v.nullish(v.string()),
})

const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096))

/** POST /v1/adapters. */
export const adapterRequest = v.object({ name: v.string(), path, replace: flag })

/** POST /v1/load_lora_adapter. */
export const vllmLoadRequest = v.object({ lora_name: v.string(), lora_path: path, load_inplace: flag })

/** POST /v1/unload_lora_adapter. */
export const vllmUnloadRequest = v.object({ lora_name: v.string() })

/** A checked chat request. */
export type ChatRequest = v.InferOutput<typeof chatRequest>

/** A checked text completion request. */
export type CompletionRequest = v.InferOutput<typeof completionRequest>

/** Every error's body. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

/** A model: the base or an adapter. */
export interface ModelCard {
  readonly id: string
  readonly object: "model"
  /** Seconds since 1970. */
  readonly created: number
  readonly owned_by: string
  /** What it was read from, or its own id. */
  readonly root: string
  /** The base's id, for an adapter. */
  readonly parent: string | null
  readonly max_model_len: number
}

/** A list of anything. */
export interface ListBody<T> {
  readonly object: "list"
  readonly data: readonly T[]
  readonly has_more: false
}

/** A loaded adapter. */
export interface AdapterCard {
  readonly id: string
  readonly object: "adapter"
  readonly hash: string
  readonly method: string
  readonly bytes: number
  readonly parent: string
  /** The hash of the version before, where one is kept for a rollback. */
  readonly previous_hash: string | null
  /** Whether it is in memory; if not, the next request for it brings it there. */
  readonly resident: boolean
}

/** An adapter as llama.cpp lists it. */
export interface LoraAdapter {
  readonly id: number
  /** Its name: where it lies is nobody's business. */
  readonly path: string
  /** What it weighs in requests to the base that say nothing else. */
  readonly scale: number
  /** What only adapters in llama.cpp's own format have: empty, as there for those that have none. */
  readonly task_name: ""
  readonly prompt_prefix: ""
}

/** Tokens of a request. */
export interface UsageBody {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}

/** Why a choice ended; `null` while it goes on. */
export type FinishBody = "stop" | "length" | "tool_calls" | null

/** One token of a chat completion's logprobs. */
export interface ChatTokenLogprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[]
}

/** Logprobs of a chat choice. */
export interface ChatLogprobs {
  readonly content: readonly (ChatTokenLogprob & { readonly top_logprobs: readonly ChatTokenLogprob[] })[]
  readonly refusal: null
}

/** A whole chat completion. */
export interface ChatCompletion {
  readonly id: string
  readonly object: "chat.completion"
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly message: {
      readonly role: "assistant"
      /** Null where the answer does nothing but call. */
      readonly content: string | null
      /** Why the answer is not of the form that was asked for: nothing was found to answer from. */
      readonly refusal: string | null
      readonly tool_calls?: readonly ToolCallBody[]
      /** Where the answer was found in documents. */
      readonly annotations?: readonly CitationBody[]
    }
    readonly logprobs: ChatLogprobs | null
    readonly finish_reason: FinishBody
  }[]
  readonly usage: UsageBody
  /** Ours. */
  readonly x_espalier?: AnswerFacts
}

/** What an answer tells beside OpenAI's fields. */
export interface AnswerFacts {
  readonly retrieval: RetrievalBody
}

/** A piece of a streamed chat completion. */
export interface ChatCompletionChunk {
  readonly id: string
  readonly object: "chat.completion.chunk"
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly delta: {
      readonly role?: "assistant"
      readonly content?: string
      readonly refusal?: string
      /** Whole calls, never parts of one. */
      readonly tool_calls?: readonly (ToolCallBody & { readonly index: number })[]
      readonly annotations?: readonly CitationBody[]
    }
    readonly logprobs: ChatLogprobs | null
    readonly finish_reason: FinishBody
  }[]
  readonly usage?: UsageBody | null
  /** Ours, in the last chunk. */
  readonly x_espalier?: AnswerFacts
}

/** Logprobs of a text completion's choice, token by token. */
export interface CompletionLogprobs {
  readonly tokens: readonly string[]
  readonly token_logprobs: readonly (number | null)[]
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[]
  /** Code points of `text` before each token. */
  readonly text_offset: readonly number[]
}

/** A text completion, whole or a piece of a streamed one. */
export interface Completion {
  readonly id: string
  readonly object: "text_completion"
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly text: string
    readonly logprobs: CompletionLogprobs | null
    readonly finish_reason: FinishBody
  }[]
  readonly usage?: UsageBody | null
}
