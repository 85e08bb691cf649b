/**
 * @module A chat's answer, whole or as it grows: texts, calls of tools, logprobs and where it was found.
 */
import type { Generation } from "../serve/engine-api.ts"
import type { OutputToken, TokenText, Usage } from "../serve/generation.ts"
import { type Outcome, usageOf } from "./generate.ts"
import type { Retrieved } from "./retrieval.ts"
import { type ToolReader, textReader, type WrittenCall } from "./tool-reader.ts"
import type { ToolPlan } from "./tool-use.ts"
import type { ToolCallBody } from "./tools-wire.ts"
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatLogprobs,
  ChatRequest,
  ChatTokenLogprob,
  FinishBody,
} from "./wire.ts"

/** What every part of an answer begins with. */
export type Head = Pick<ChatCompletion, "id" | "created" | "model" | "system_fingerprint">

/** What an answer is told with. */
export interface Around {
  readonly head: Head
  readonly retrieved: Retrieved | null
  /** Whether the words are not the form that was asked for: they go where clients look for a refusal. */
  readonly refused: boolean
  readonly plan: ToolPlan | null
  readonly newId: () => string
}

/** A choice while it is read. */
interface OpenChoice {
  readonly reader: ToolReader
  text: string
  readonly calls: ToolCallBody[]
}

const newChoices = (count: number, plan: ToolPlan | null): OpenChoice[] =>
  Array.from({ length: count }, () => ({ reader: plan?.newReader() ?? textReader, text: "", calls: [] }))

/** Why a choice ended, where it may have called. */
const finishOf = (reason: FinishBody, { calls }: OpenChoice, plan: ToolPlan | null): FinishBody =>
  plan !== null && calls.length > 0 && reason === "stop" ? plan.finish : reason

const callBody = ({ name, arguments: text }: WrittenCall, newId: () => string): ToolCallBody => ({
  id: `call_${newId().slice(0, 24)}`,
  type: "function",
  function: { name, arguments: text },
})

/** A generation as the answer that was asked for. */
export async function answerOf(
  request: ChatRequest,
  generation: Generation,
  around: Around,
): Promise<Outcome<ChatCompletion, ChatCompletionChunk>> {
  const { adapter } = generation
  if (request.stream) return { adapter, chunks: streamChat(request, generation, around) }
  return { adapter, whole: await collectChat(request, generation, around) }
}

async function collectChat(
  request: ChatRequest,
  generation: Generation,
  { head, retrieved, refused, plan, newId }: Around,
): Promise<ChatCompletion> {
  const choices = newChoices(request.n, plan).map((choice) => ({
    ...choice,
    tokens: [] as OutputToken[],
    reason: null as FinishBody,
  }))
  const take = (choice: OpenChoice, { content, calls }: ReturnType<ToolReader["push"]>): void => {
    choice.text += content
    choice.calls.push(...calls.map((call) => callBody(call, newId)))
  }
  const usages: Usage[] = []
  for await (const event of generation.events) {
    const choice = choices[event.choice]!
    if (event.type === "text-delta") {
      take(choice, choice.reader.push(event.text))
      choice.tokens.push(...event.tokens)
    } else if (event.type === "finish") {
      take(choice, choice.reader.flush())
      choice.reason = finishOf(event.reason, choice, plan)
      usages[event.choice] = event.usage
    }
  }
  return {
    ...head,
    object: "chat.completion",
    choices: choices.map(({ text, calls, tokens, reason }, index) => ({
      index,
      message: {
        role: "assistant",
        content: refused || (text === "" && calls.length > 0) ? null : text,
        refusal: refused ? text : null,
        ...(calls.length > 0 && { tool_calls: calls }),
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
  { head, retrieved, refused, plan, newId }: Around,
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
  const choices = newChoices(request.n, plan)
  type Delta = ChatCompletionChunk["choices"][number]["delta"]
  const deltaOf = (choice: OpenChoice, { content, calls }: ReturnType<ToolReader["push"]>): Delta => {
    choice.text += content
    const bodies = calls.map((call, i) => ({ index: choice.calls.length + i, ...callBody(call, newId) }))
    choice.calls.push(...bodies)
    return { ...(content !== "" && { content }), ...(bodies.length > 0 && { tool_calls: bodies }) }
  }
  for await (const event of generation.events) {
    const index = event.choice
    const choice = choices[index]!
    if (event.type === "text-delta") {
      const delta = deltaOf(choice, choice.reader.push(event.text))
      const logprobs = request.logprobs ? logprobsOf(event.tokens) : null
      // What may become a call is held back.
      if (plan !== null && logprobs === null && Object.keys(delta).length === 0) continue
      const said = refused ? { refusal: event.text } : { content: event.text }
      yield chunk([{ index, delta: plan === null ? said : delta, logprobs, finish_reason: null }])
    } else if (event.type === "finish") {
      usages[index] = event.usage
      const rest = deltaOf(choice, choice.reader.flush())
      if (Object.keys(rest).length > 0) yield chunk([{ index, delta: rest, logprobs: null, finish_reason: null }])
      const annotations = retrieved?.told(choice.text).annotations
      const delta = annotations && annotations.length > 0 ? { annotations } : {}
      yield chunk([{ index, delta, logprobs: null, finish_reason: finishOf(event.reason, choice, plan) }])
    }
  }
  if (retrieved) yield { ...chunk([]), x_espalier: { retrieval: retrieved.told(choices[0]!.text).retrieval } }
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
