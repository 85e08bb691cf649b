/**
 * @module POST /v1/chat/completions: a conversation in, one or more answers out, whole or as they grow.
 */
import { EspalierError, isEspalierError, rephrased } from "../core/errors.ts"
import type { ChoiceEvent, GenerateRequest, Generation } from "../serve/engine-api.ts"
import { answerOf, type Head } from "./chat-answer.ts"
import { checked } from "./check.ts"
import { type ServiceContext, toSeconds } from "./context.ts"
import { type CallOptions, fingerprintOf, type Outcome, startGeneration } from "./generate.ts"
import { retrieve } from "./retrieval.ts"
import { conversationOf, toolPlan } from "./tool-use.ts"
import { refuseUnsupported } from "./unsupported.ts"
import { type ChatCompletion, type ChatCompletionChunk, type ChatRequest, chatRequest } from "./wire.ts"

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
  const { newId } = context
  const plan = toolPlan(context, request)
  const given = conversationOf(context, request)
  const maxTokens = request.max_completion_tokens ?? request.max_tokens ?? null
  const { model, retrieval } = request
  // Where to look things up is the tools' own.
  const retrieved =
    plan === null
      ? await retrieve(context, { model, retrieval, messages: given, answerTokens: maxTokens }, options)
      : null
  const newHead = (adapter: Generation["adapter"]): Head => ({
    id: `chatcmpl-${context.newId()}`,
    created: toSeconds(context.now()),
    model,
    system_fingerprint: fingerprintOf(context, adapter),
  })
  if (retrieved !== null && retrieved.abstention !== null)
    return answerOf(request, abstained(request.n, retrieved.abstention), {
      head: newHead(null),
      retrieved,
      refused: format !== undefined,
      plan,
      newId,
    })
  const generation = await startGeneration(
    context,
    request,
    {
      prompts: [
        {
          messages: retrieved?.messages ?? given,
          ...(plan && { tools: plan.tools }),
          ...(plan?.forced && { begin: plan.forced.begin }),
        },
      ],
      maxTokens,
      logprobs: request.logprobs ? (request.top_logprobs ?? 0) : null,
      echo: false,
      ...((plan?.forced?.format ?? format) && { format: (plan?.forced?.format ?? format)! }),
    },
    options,
  ).catch((error) => {
    // The format is the tools' then.
    const isFormat = plan?.forced && isEspalierError(error) && error.param?.startsWith("response_format")
    if (isFormat) throw rephrased(error, { param: "tools" })
    // What the engine calls a prompt are a chat's messages.
    throw isEspalierError(error) && error.param === "prompt" ? rephrased(error, { param: "messages" }) : error
  })
  return answerOf(request, generation, { head: newHead(generation.adapter), retrieved, refused: false, plan, newId })
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
        waitedMs: 0,
      }
    }
  }
  return { adapter: null, promptTokens: 0, events: events() }
}

function checkSupported(request: ChatRequest): void {
  if (request.top_logprobs != null && !request.logprobs) {
    throw new EspalierError("invalid_request", "`top_logprobs` needs `logprobs` to be true", { param: "top_logprobs" })
  }
  const asksRetrieval = typeof request.retrieval === "string" ? request.retrieval : request.retrieval?.mode
  if (request.tools?.length && asksRetrieval !== undefined && asksRetrieval !== "off") {
    throw new EspalierError("unsupported", "A request with tools is not answered from documents as well", {
      hint: "Leave out `tools` or `retrieval`, or offer /v1/rag/search as a tool",
      param: "retrieval",
    })
  }
  // As OpenAI has it: a model that was told nothing of JSON writes blanks and brackets to the end.
  if (request.response_format?.type === "json_object" && !request.messages.some((m) => /json/i.test(m.content ?? ""))) {
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
