/**
 * @module POST /v1/chat/completions: a conversation in, one or more answers out, whole or as they grow.
 */
import { EspalierError } from "../core/errors.ts"
import type { ChoiceEvent, GenerateRequest, Generation } from "../serve/engine-api.ts"
import type { OutputToken, TokenText, Usage } from "../serve/generation.ts"
import { checked } from "./check.ts"
import { type ServiceContext, toSeconds } from "./context.ts"
import { type CallOptions, fingerprintOf, type Outcome, startGeneration, usageOf } from "./generate.ts"
import { type Retrieved, retrieve } from "./retrieval.ts"
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
  const given = request.messages.map(({ role, content }) => ({ role: roleOf(role), content }))
  const maxTokens = request.max_completion_tokens ?? request.max_tokens ?? null
  const { model, retrieval } = request
  const retrieved = await retrieve(context, { model, retrieval, messages: given, answerTokens: maxTokens }, options)
  const newHead = (adapter: Generation["adapter"]): Head => ({
    id: `chatcmpl-${context.newId()}`,
    created: toSeconds(context.now()),
    model,
    system_fingerprint: fingerprintOf(context, adapter),
  })
  if (retrieved !== null && retrieved.abstention !== null)
    return answerOf(request, abstained(request.n, retrieved.abstention), newHead(null), retrieved)
  const generation = await startGeneration(
    context,
    request,
    {
      prompts: [{ messages: retrieved?.messages ?? given }],
      maxTokens,
      logprobs: request.logprobs ? (request.top_logprobs ?? 0) : null,
      echo: false,
      ...(format && { format }),
    },
    options,
  )
  return answerOf(request, generation, newHead(generation.adapter), retrieved)
}

async function answerOf(
  request: ChatRequest,
  generation: Generation,
  head: Head,
  retrieved: Retrieved | null,
): Promise<Outcome<ChatCompletion, ChatCompletionChunk>> {
  const { adapter } = generation
  if (request.stream) return { adapter, chunks: streamChat(request, generation, head, retrieved) }
  return { adapter, whole: await collectChat(request, generation, head, retrieved) }
}

/** A generation that no model made: the same few words for every choice. */
function abstained(choices: number, text: string): Generation {
  async function* events(): AsyncGenerator<ChoiceEvent, void, undefined> {
    for (let choice = 0; choice < choices; choice++) {
      yield { type: "text-delta", choice, text, tokens: [] }
      yield {
        type: "finish",
        choice,
        reason: "stop",
        usage: { promptTokens: 0, completionTokens: 0, cachedTokens: 0 },
      }
    }
  }
  return { adapter: null, promptTokens: 0, events: events() }
}

type Head = Pick<ChatCompletion, "id" | "created" | "model" | "system_fingerprint">

async function collectChat(
  request: ChatRequest,
  generation: Generation,
  head: Head,
  retrieved: Retrieved | null,
): Promise<ChatCompletion> {
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
      message: {
        role: "assistant",
        content: text,
        refusal: null,
        ...(retrieved && { annotations: retrieved.told(text).annotations }),
      },
      logprobs: request.logprobs ? logprobsOf(tokens) : null,
      finish_reason: reason,
    })),
    usage: usageOf(generation.promptTokens, usages, request.n),
    ...(retrieved && { x_espalier: { retrieval: retrieved.told(choices[0]!.text).retrieval } }),
  }
}

async function* streamChat(
  request: ChatRequest,
  generation: Generation,
  head: Head,
  retrieved: Retrieved | null,
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
  const texts = new Array<string>(request.n).fill("")
  for await (const event of generation.events) {
    if (event.type === "text-delta") {
      texts[event.choice] += event.text
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
      const annotations = retrieved?.told(texts[event.choice]!).annotations
      const delta = annotations && annotations.length > 0 ? { annotations } : {}
      yield chunk([{ index: event.choice, delta, logprobs: null, finish_reason: event.reason }])
    }
  }
  if (retrieved) yield { ...chunk([]), x_espalier: { retrieval: retrieved.told(texts[0]!).retrieval } }
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
