/**
 * @module POST /v1/chat/completions: a conversation in, one or more answers out, whole or as they grow.
 */
import { EspalierError } from "../core/errors.ts"
import type { GenerateRequest, Generation } from "../serve/engine-api.ts"
import type { OutputToken, TokenText, Usage } from "../serve/generation.ts"
import { checked } from "./check.ts"
import { type ServiceContext, toSeconds } from "./context.ts"
import { type CallOptions, fingerprintOf, type Outcome, startGeneration, usageOf } from "./generate.ts"
import { refuseUnsupported } from "./unsupported.ts"
import {
  type ChatCompletion,
  type ChatCompletionChunk,
  type ChatLogprobs,
  type ChatRequest,
  type ChatTokenLogprob,
  chatRequest,
  type FinishBody,
} from "./wire.ts"

/**
 * Answers a conversation.
 * @param body the parsed JSON of the request
 * @throws {EspalierError} If the request is refused; a stream that was accepted may still throw while it is read.
 */
export async function chat(
  context: ServiceContext,
  body: unknown,
  options: CallOptions = {},
): Promise<Outcome<ChatCompletion, ChatCompletionChunk>> {
  refuseUnsupported(body)
  const request = checked(chatRequest, body)
  checkSupported(request)
  const format = formatOf(request)
  const generation = await startGeneration(
    context,
    request,
    {
      prompts: [{ messages: request.messages.map(({ role, content }) => ({ role: roleOf(role), content })) }],
      maxTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
      logprobs: request.logprobs ? (request.top_logprobs ?? 0) : null,
      echo: false,
      ...(format && { format }),
    },
    options,
  )
  const head = {
    id: `chatcmpl-${context.newId()}`,
    created: toSeconds(context.now()),
    model: request.model,
    system_fingerprint: fingerprintOf(context, generation.adapter),
  }
  const { adapter } = generation
  if (request.stream) return { adapter, chunks: streamChat(request, generation, head) }
  return { adapter, whole: await collectChat(request, generation, head) }
}

type Head = Pick<ChatCompletion, "id" | "created" | "model" | "system_fingerprint">

async function collectChat(request: ChatRequest, generation: Generation, head: Head): Promise<ChatCompletion> {
  const choices = Array.from({ length: request.n }, () => ({
    text: "",
    tokens: [] as OutputToken[],
    reason: null as FinishBody,
  }))
  const usages: Usage[] = []
  for await (const event of generation.events) {
    const choice = choices[event.choice]!
    if (event.type === "text-delta") {
      choice.text += event.text
      choice.tokens.push(...event.tokens)
    } else if (event.type === "finish") {
      choice.reason = event.reason
      usages[event.choice] = event.usage
    }
  }
  return {
    ...head,
    object: "chat.completion",
    choices: choices.map(({ text, tokens, reason }, index) => ({
      index,
      message: { role: "assistant", content: text, refusal: null },
      logprobs: request.logprobs ? logprobsOf(tokens) : null,
      finish_reason: reason,
    })),
    usage: usageOf(generation.promptTokens, usages, request.n),
  }
}

async function* streamChat(
  request: ChatRequest,
  generation: Generation,
  head: Head,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const withUsage = request.stream_options?.include_usage ?? false
  const chunk = (choices: ChatCompletionChunk["choices"]): ChatCompletionChunk => ({
    ...head,
    object: "chat.completion.chunk",
    choices,
    ...(withUsage ? { usage: null } : {}),
  })
  for (let index = 0; index < request.n; index++) {
    yield chunk([{ index, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }])
  }
  const usages: Usage[] = []
  for await (const event of generation.events) {
    if (event.type === "text-delta") {
      yield chunk([
        {
          index: event.choice,
          delta: { content: event.text },
          logprobs: request.logprobs ? logprobsOf(event.tokens) : null,
          finish_reason: null,
        },
      ])
    } else if (event.type === "finish") {
      usages[event.choice] = event.usage
      yield chunk([{ index: event.choice, delta: {}, logprobs: null, finish_reason: event.reason }])
    }
  }
  if (withUsage) yield { ...chunk([]), usage: usageOf(generation.promptTokens, usages, request.n) }
}

function logprobsOf(tokens: readonly OutputToken[]): ChatLogprobs {
  const entry = (token: TokenText, logprob: number): ChatTokenLogprob => ({
    token: token.text,
    logprob: finite(logprob),
    bytes: [...token.bytes],
  })
  return {
    content: tokens.map((token) => ({
      ...entry(token, token.logprob ?? 0),
      top_logprobs: token.top.map((top) => entry(top, top.logprob)),
    })),
    refusal: null,
  }
}

/** JSON has no -Infinity; OpenAI writes -9999 for what is out of reach. */
const finite = (logprob: number): number => (Number.isFinite(logprob) ? logprob : -9999)

/** OpenAI's newer name for the system's voice; templates know the older one. */
const roleOf = (role: string): string => (role === "developer" ? "system" : role)

function checkSupported(request: ChatRequest): void {
  if (request.top_logprobs != null && !request.logprobs) {
    throw new EspalierError("invalid_request", "`top_logprobs` needs `logprobs` to be true", { param: "top_logprobs" })
  }
  if (request.tools != null && request.tools.length > 0) {
    throw new EspalierError("unsupported", "This version calls no tools", { param: "tools" })
  }
  // As OpenAI has it: a model that was told nothing of JSON writes blanks and brackets to the end.
  if (request.response_format?.type === "json_object" && !request.messages.some((m) => /json/i.test(m.content))) {
    const message =
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
    throw new EspalierError("invalid_request", message, { param: "messages" })
  }
}

/** What the answer is held to; a schema that is left out is any object's. */
function formatOf({ response_format: asked }: ChatRequest): GenerateRequest["format"] {
  if (asked?.type === "json_object") return { type: "json_object" }
  if (asked?.type !== "json_schema") return undefined
  return { type: "json_schema", schema: asked.json_schema.schema ?? { type: "object" } }
}
