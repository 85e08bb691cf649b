/**
 * @module Holds live answers to the schemas that OpenAI publishes of its own API.
 */
import published from "../fixtures/openai/schemas.json"
import { fitsSchema } from "./fits-schema.ts"

/** The schema of each of OpenAI's routes that is here. */
const answers: readonly (readonly [method: string, path: RegExp, schema: string])[] = [
  ["POST", /^\/v1\/chat\/completions$/, "CreateChatCompletionResponse"],
  ["POST", /^\/v1\/completions$/, "CreateCompletionResponse"],
  ["POST", /^\/v1\/embeddings$/, "CreateEmbeddingResponse"],
  ["GET", /^\/v1\/models$/, "ListModelsResponse"],
  ["GET", /^\/v1\/models\/./, "Model"],
  ["DELETE", /^\/v1\/models\/./, "DeleteModelResponse"],
  ["POST", /^\/v1\/files$/, "OpenAIFile"],
  ["GET", /^\/v1\/files$/, "ListFilesResponse"],
  ["GET", /^\/v1\/files\/[^/]+$/, "OpenAIFile"],
  ["DELETE", /^\/v1\/files\/[^/]+$/, "DeleteFileResponse"],
  ["POST", /^\/v1\/fine_tuning\/jobs$/, "FineTuningJob"],
  ["GET", /^\/v1\/fine_tuning\/jobs$/, "ListPaginatedFineTuningJobsResponse"],
  ["GET", /^\/v1\/fine_tuning\/jobs\/[^/]+$/, "FineTuningJob"],
  ["POST", /^\/v1\/fine_tuning\/jobs\/[^/]+\/(cancel|pause|resume)$/, "FineTuningJob"],
  ["GET", /^\/v1\/fine_tuning\/jobs\/[^/]+\/events$/, "ListFineTuningJobEventsResponse"],
  ["GET", /^\/v1\/fine_tuning\/jobs\/[^/]+\/checkpoints$/, "ListFineTuningJobCheckpointsResponse"],
  ["POST", /^\/v1\/vector_stores(\/[^/]+)?$/, "VectorStoreObject"],
  ["GET", /^\/v1\/vector_stores$/, "ListVectorStoresResponse"],
  ["GET", /^\/v1\/vector_stores\/[^/]+$/, "VectorStoreObject"],
  ["DELETE", /^\/v1\/vector_stores\/[^/]+$/, "DeleteVectorStoreResponse"],
  ["POST", /^\/v1\/vector_stores\/[^/]+\/files$/, "VectorStoreFileObject"],
  ["GET", /^\/v1\/vector_stores\/[^/]+\/files$/, "ListVectorStoreFilesResponse"],
  ["GET", /^\/v1\/vector_stores\/[^/]+\/files\/[^/]+$/, "VectorStoreFileObject"],
  ["DELETE", /^\/v1\/vector_stores\/[^/]+\/files\/[^/]+$/, "DeleteVectorStoreFileResponse"],
  ["POST", /^\/v1\/vector_stores\/[^/]+\/file_batches(\/[^/]+\/cancel)?$/, "VectorStoreFileBatchObject"],
  ["GET", /^\/v1\/vector_stores\/[^/]+\/file_batches\/[^/]+$/, "VectorStoreFileBatchObject"],
  ["GET", /^\/v1\/vector_stores\/[^/]+\/file_batches\/[^/]+\/files$/, "ListVectorStoreFilesResponse"],
  ["POST", /^\/v1\/vector_stores\/[^/]+\/search$/, "VectorStoreSearchResultsPage"],
]

/** Every schema that an answer can be held to. */
export const openaiSchemas: readonly string[] = [
  ...new Set([...answers.map(([, , schema]) => schema), "ErrorResponse"]),
]

/** Schemas that an answer was held to, so that a test can say that none was left out. */
export const openaiSeen = new Set<string>()

/**
 * A value without the three things that OpenAI's API answers and its schemas leave out: vectors in base64, which its own client
 * asks for; the first token's logprobs, null, of a prompt that is echoed; and the first and last id, null, of an empty list.
 */
function asPublished(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, each: unknown) => {
    const { data, first_id, last_id } = (each ?? {}) as Readonly<Record<string, unknown>>
    const isEmptyPage = Array.isArray(data) && data.length === 0 && first_id === null && last_id === null
    if (isEmptyPage) return { ...(each as object), first_id: "", last_id: "" }
    if (key === "embedding" && typeof each === "string") return []
    const isFirstNull = Array.isArray(each) && each[0] === null
    if (key === "token_logprobs" && isFirstNull) return [0, ...each.slice(1)]
    if (key === "top_logprobs" && isFirstNull) return [{}, ...each.slice(1)]
    return each
  })
}

/** @throws {Error} If a value is not what OpenAI says of such a one */
export function checkOpenai(schema: string, value: unknown): void {
  const found = (published.components.schemas as Readonly<Record<string, object>>)[schema]
  if (!found) throw new Error(`There is no schema ${schema}`)
  openaiSeen.add(schema)
  if (fitsSchema(asPublished(value), found, published)) return
  throw new Error(`Not what OpenAI calls ${schema}: ${JSON.stringify(value).slice(0, 1500)}`)
}

/** Holds an answer of one of OpenAI's routes to its schema. @throws {Error} If it doesn't fit */
export async function checkOpenaiAnswer(method: string, path: string, response: Response): Promise<void> {
  if (!path.startsWith("/v1/") || method === "HEAD") return
  if (!/^application\/json\b/.test(response.headers.get("content-type") ?? "")) return
  const schema = answers.find((answer) => answer[0] === method && answer[1].test(path))?.[2]
  // Routes of our own refuse as OpenAI's do.
  const wanted = response.status >= 400 ? "ErrorResponse" : schema
  if (wanted !== undefined) checkOpenai(wanted, await response.clone().json())
}
