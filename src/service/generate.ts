/**
 * @module What chat and text completions have in common: from a checked request to an accepted generation.
 */
import { EspalierError, isEspalierError, rephrased } from "../core/errors.ts"
import { isExpression } from "../merge/expression.ts"
import type { GenerateRequest, Generation, PromptInput } from "../serve/engine-api.ts"
import type { Usage } from "../serve/generation.ts"
import type { ServiceContext } from "./context.ts"
import { adapterOf } from "./loras.ts"
import type { ChatRequest, CompletionRequest, UsageBody } from "./wire.ts"

/** An answer: whole, or in chunks. */
export type Outcome<Whole, Chunk> = {
  /** The adapter version that answers; `null` for the base. */
  readonly adapter: { readonly name: string; readonly hash: string } | null
} & ({ readonly whole: Whole } | { readonly chunks: AsyncIterable<Chunk> })

/** Who asks, and how they end a request early. */
export interface CallOptions {
  readonly signal?: AbortSignal
  /** Whose adapters may answer. @default everybody's, as the operator sees them */
  readonly tenant?: string
}

/** The parts of a generation that differ between chat and text. */
export interface GenerationPlan {
  readonly prompts: readonly PromptInput[]
  readonly maxTokens: number | null
  readonly logprobs: number | null
  readonly echo: boolean
  readonly format?: NonNullable<GenerateRequest["format"]>
}

/**
 * Starts what the request asks for.
 * @throws {EspalierError} `not_found` that names the models there are, and whatever the engine refuses it for
 */
export async function startGeneration(
  context: ServiceContext,
  request: ChatRequest | CompletionRequest,
  plan: GenerationPlan,
  { signal }: CallOptions,
): Promise<Generation> {
  const { engine } = context
  const generation: GenerateRequest = {
    ...plan,
    choices: request.n,
    adapter: await adapterOf(context, request),
    sampling: samplingOf(request),
    stop: typeof request.stop === "string" ? [request.stop] : (request.stop ?? []),
    ignoreEos: request.ignore_eos,
  }
  return orUnknownModel(context, generation.adapter, () =>
    engine.generate(generation, signal === undefined ? {} : { signal }),
  )
}

/**
 * What `call` gives, a model that a job made being loaded for it if need be; where it finds no adapter of that name, the
 * error names the models there are.
 */
export async function orUnknownModel<T>(
  context: ServiceContext,
  adapter: string | null,
  call: () => Promise<T>,
): Promise<T> {
  const { shelf } = context
  try {
    try {
      return await call()
    } catch (error) {
      if (adapter === null || !isEspalierError(error, "not_found") || !shelf?.knows(adapter)) throw error
      await shelf.load(adapter)
      return await call()
    }
  } catch (error) {
    if (!isEspalierError(error, "not_found") || adapter === null) throw error
    if (!isExpression(adapter)) throw await unknownModel(context, adapter)
    // A merge by request names the adapter that it lacks; beside it the engine names all there are, other tenants' too.
    throw rephrased(error, { hint: await modelsHint(context) })
  }
}

/** The error for a model that is not there. */
export async function unknownModel(context: Pick<ServiceContext, "engine">, model: string): Promise<EspalierError> {
  return new EspalierError("not_found", `The model "${model}" does not exist`, {
    hint: await modelsHint(context),
    param: "model",
  })
}

/** Names of a hint at most. */
const MOST_NAMES = 20

/** The models that whoever asks may see. */
async function modelsHint({ engine }: Pick<ServiceContext, "engine">): Promise<string> {
  const names = [engine.info.base, ...(await engine.list()).map((adapter) => adapter.name)]
  const more = names.length - MOST_NAMES
  const rest = more > 0 ? ` and ${more} more, which GET /v1/models lists` : ""
  return `This server has: ${names.slice(0, MOST_NAMES).join(", ")}${rest}`
}

/** Sampling options by our names; what the request leaves out keeps its default. */
function samplingOf(request: ChatRequest | CompletionRequest): NonNullable<GenerateRequest["sampling"]> {
  return defined({
    temperature: request.temperature,
    topP: request.top_p,
    topK: request.top_k === -1 ? 0 : request.top_k,
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    presencePenalty: request.presence_penalty,
    frequencyPenalty: request.frequency_penalty,
    logitBias:
      request.logit_bias == null
        ? undefined
        : Object.entries(request.logit_bias).map(([id, bias]) => [Number(id), bias] as const),
    seed: request.seed,
  })
}

/** The fields that hold something. */
function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

/** Names what answered: equal fingerprints, seeds and requests give equal answers. */
export function fingerprintOf({ engine }: ServiceContext, adapter: Generation["adapter"]): string {
  const base = `fp_${engine.info.baseHash.slice(0, 12)}`
  return adapter === null ? base : `${base}_${adapter.hash.slice(0, 12)}`
}

/**
 * Usage of all choices; a prompt counts once however many completions it gets, and as cached only what none of them
 * computed.
 * @param finished by choice
 * @param n completions of each prompt
 */
export function usageOf(promptTokens: number, finished: readonly Usage[], n: number): UsageBody {
  let cachedTokens = 0
  for (let first = 0; first < finished.length; first += n)
    cachedTokens += Math.min(...finished.slice(first, first + n).map((usage) => usage.cachedTokens))
  const completionTokens = finished.reduce((total, usage) => total + usage.completionTokens, 0)
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}
