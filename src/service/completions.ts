/**
 * @module POST /v1/completions: text or token ids in, one or more continuations out, whole or as they grow.
 */
import { EspalierError } from "../core/errors.ts"
import type { ChoiceEvent, Generation, PromptInput } from "../serve/engine-api.ts"
import type { OutputToken, Usage } from "../serve/generation.ts"
import { codePoints } from "../serve/transcript.ts"
import { checked } from "./check.ts"
import { type ServiceContext, toSeconds } from "./context.ts"
import { type CallOptions, fingerprintOf, type Outcome, startGeneration, usageOf } from "./generate.ts"
import { refuseUnsupported } from "./unsupported.ts"
import {
  type Completion,
  type CompletionLogprobs,
  type CompletionRequest,
  completionRequest,
  type FinishBody,
  maxChoices,
} from "./wire.ts"

/**
 * Continues one or more prompts.
 * @param body the parsed JSON of the request
 * @throws {EspalierError} If the request is refused; a stream that was accepted may still throw while it is read.
 */
export async function complete(
  context: ServiceContext,
  body: unknown,
  options: CallOptions = {},
): Promise<Outcome<Completion, Completion>> {
  refuseUnsupported(body)
  const request = checked(completionRequest, body)
  const prompts = promptsOf(request.prompt)
  checkSupported(request, prompts.length)
  const generation = await startGeneration(
    context,
    request,
    { prompts, maxTokens: request.max_tokens, logprobs: request.logprobs ?? null, echo: request.echo },
    options,
  )
  const head = {
    id: `cmpl-${context.newId()}`,
    object: "text_completion" as const,
    created: toSeconds(context.now()),
    model: request.model,
    system_fingerprint: fingerprintOf(context, generation.adapter),
  }
  const { adapter } = generation
  if (request.stream) return { adapter, chunks: streamCompletion(request, generation, head) }
  return { adapter, whole: await collectCompletion(request, generation, head, prompts.length * request.n) }
}

type Head = Pick<Completion, "id" | "object" | "created" | "model" | "system_fingerprint">

async function collectCompletion(
  request: CompletionRequest,
  generation: Generation,
  head: Head,
  count: number,
): Promise<Completion> {
  const choices = Array.from({ length: count }, () => ({
    text: "",
    tokens: [] as OutputToken[],
    reason: null as FinishBody,
  }))
  const shift = offsetShift()
  const usages: Usage[] = []
  for await (const event of generation.events) {
    const choice = choices[event.choice]!
    if (event.type === "finish") {
      choice.reason = event.reason
      usages[event.choice] = event.usage
    } else {
      choice.text += event.text
      choice.tokens.push(...shift(event))
    }
  }
  return {
    ...head,
    choices: choices.map(({ text, tokens, reason }, index) => ({
      index,
      text,
      logprobs: request.logprobs == null ? null : logprobsOf(tokens),
      finish_reason: reason,
    })),
    usage: usageOf(generation.promptTokens, usages, request.n),
  }
}

async function* streamCompletion(
  request: CompletionRequest,
  generation: Generation,
  head: Head,
): AsyncGenerator<Completion, void, undefined> {
  const withUsage = request.stream_options?.include_usage ?? false
  const shift = offsetShift()
  const usages: Usage[] = []
  for await (const event of generation.events) {
    const finished = event.type === "finish"
    if (finished) usages[event.choice] = event.usage
    yield {
      ...head,
      choices: [
        {
          index: event.choice,
          text: finished ? "" : event.text,
          logprobs: finished || request.logprobs == null ? null : logprobsOf(shift(event)),
          finish_reason: finished ? event.reason : null,
        },
      ],
      ...(withUsage ? { usage: null } : {}),
    }
  }
  if (withUsage) yield { ...head, choices: [], usage: usageOf(generation.promptTokens, usages, request.n) }
}

/** Counts a completion's offsets from the beginning of an echoed prompt, each choice for itself. */
function offsetShift(): (event: Exclude<ChoiceEvent, { type: "finish" }>) => readonly OutputToken[] {
  const prompts = new Map<number, number>()
  return (event) => {
    if (event.type === "prompt") {
      prompts.set(event.choice, codePoints(event.text))
      return event.tokens
    }
    const before = prompts.get(event.choice) ?? 0
    return event.tokens.map((token) => ({ ...token, offset: token.offset + before }))
  }
}

function logprobsOf(tokens: readonly OutputToken[]): CompletionLogprobs {
  return {
    tokens: tokens.map((token) => token.text),
    token_logprobs: tokens.map((token) => finite(token.logprob)),
    top_logprobs: tokens.map((token) =>
      token.logprob === null
        ? null
        : // Entries make own keys of any text, `__proto__` too; the picked token is always among them.
          Object.fromEntries([...token.top, token].map(({ text, logprob }) => [text, finite(logprob) ?? 0])),
    ),
    text_offset: tokens.map((token) => token.offset),
  }
}

/** JSON has no -Infinity; OpenAI writes -9999 for what is out of reach. */
function finite(logprob: number | null): number | null {
  return logprob === null || Number.isFinite(logprob) ? logprob : -9999
}

function promptsOf(prompt: CompletionRequest["prompt"]): PromptInput[] {
  if (typeof prompt === "string") return [{ text: prompt }]
  if (typeof prompt[0] === "number") return [{ ids: prompt as number[] }]
  return (prompt as (string | number[])[]).map((one) => (typeof one === "string" ? { text: one } : { ids: one }))
}

function checkSupported(request: CompletionRequest, prompts: number): void {
  if (prompts * request.n > maxChoices) {
    const message = `Expected at most ${maxChoices} completions but found ${prompts} prompts with ${request.n} each`
    throw new EspalierError("invalid_request", message, { param: "n" })
  }
  if (request.best_of != null && request.best_of !== request.n) {
    throw new EspalierError(
      "unsupported",
      "This version does not choose among completions: expected `best_of` equal to `n`",
      {
        param: "best_of",
      },
    )
  }
  if (request.suffix != null && request.suffix !== "") {
    throw new EspalierError("unsupported", "This version does not fill in before a suffix", { param: "suffix" })
  }
}
