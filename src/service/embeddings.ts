/**
 * @module POST /v1/embeddings: texts or token ids in, a vector for each out.
 */
import * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import type { PromptInput } from "../serve/engine-api.ts"
import { checked } from "./check.ts"
import type { ServiceContext } from "./context.ts"
import { type CallOptions, type Outcome, orUnknownModel } from "./generate.ts"

/** Inputs of one request at most, as OpenAI has it. */
const MOST_INPUTS = 2048
const text = v.pipe(v.string(), v.minLength(1))
const ids = v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(0))), v.minLength(1), v.maxLength(1_000_000))

/** The request. Unknown fields are ignored. Source: https://platform.openai.com/docs/api-reference/embeddings */
export const embeddingRequest = v.object({
  model: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  input: v.union([
    text,
    ids,
    v.pipe(v.array(text), v.minLength(1), v.maxLength(MOST_INPUTS)),
    v.pipe(v.array(ids), v.minLength(1), v.maxLength(MOST_INPUTS)),
  ]),
  encoding_format: v.nullish(v.picklist(["float", "base64"]), "float"),
  dimensions: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000))),
})

/** The answer. */
export interface EmbeddingList {
  readonly object: "list"
  readonly data: readonly {
    readonly object: "embedding"
    readonly index: number
    /** Numbers, or their little-endian f32 bytes in base64. */
    readonly embedding: readonly number[] | string
  }[]
  readonly model: string
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number }
}

/**
 * Turns texts into vectors.
 * @param body the parsed JSON of the request
 * @throws {EspalierError} If the request is refused.
 */
export async function embeddings(
  context: ServiceContext,
  body: unknown,
  { signal }: CallOptions = {},
): Promise<Outcome<EmbeddingList, never>> {
  const { engine } = context
  const request = checked(embeddingRequest, body)
  const name = request.model === engine.info.base ? null : request.model
  const { adapter, promptTokens, vectors } = await orUnknownModel(context, name, () =>
    engine.embed({ inputs: inputsOf(request.input), adapter: name }, signal === undefined ? {} : { signal }),
  )
  const size = vectors[0]!.length
  if (request.dimensions != null && request.dimensions !== size)
    throw new EspalierError("unsupported", `The vectors of "${request.model}" have ${size} numbers`, {
      hint: "Leave dimensions out",
      param: "dimensions",
    })
  return {
    adapter,
    whole: {
      object: "list",
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: request.encoding_format === "base64" ? base64(vector) : [...vector],
      })),
      model: request.model,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    },
  }
}

function inputsOf(input: v.InferOutput<typeof embeddingRequest>["input"]): PromptInput[] {
  if (typeof input === "string") return [{ text: input }]
  if (typeof input[0] === "number") return [{ ids: input as readonly number[] }]
  return (input as readonly (string | readonly number[])[]).map((each) =>
    typeof each === "string" ? { text: each } : { ids: each },
  )
}

function base64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(4 * vector.length))
  for (const [i, x] of vector.entries()) view.setFloat32(4 * i, x, true)
  let binary = ""
  for (const byte of new Uint8Array(view.buffer)) binary += String.fromCharCode(byte)
  return btoa(binary)
}
