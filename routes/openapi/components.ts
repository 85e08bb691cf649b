/**
 * @module Every body that the API takes or gives, by its name in the document.
 */
import { toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema"
import type { DescribeRouteOptions, GenerateSpecOptions } from "hono-openapi"
import * as v from "valibot"
import { documentListQuery, documentsRequest, searchRequest } from "../../src/service/documents-wire.ts"
import { embeddingRequest } from "../../src/service/embeddings.ts"
import { fileListQuery, jobListQuery, jobRequest } from "../../src/service/jobs-wire.ts"
import {
  vectorStoreBatchRequest,
  vectorStoreChange,
  vectorStoreFileChange,
  vectorStoreFileListQuery,
  vectorStoreFileRequest,
  vectorStoreListQuery,
  vectorStoreRequest,
  vectorStoreSearch,
} from "../../src/service/vector-stores-wire.ts"
import {
  adapterRequest,
  chatRequest,
  completionRequest,
  loraScales,
  vllmLoadRequest,
  vllmUnloadRequest,
} from "../../src/service/wire.ts"
import * as answers from "./answers.ts"
import { chatCompletion, chatCompletionChunk, completion } from "./answers-text.ts"

/** What requests hold. */
export const bodies = {
  AdapterRequest: adapterRequest,
  ChatRequest: chatRequest,
  CompletionRequest: completionRequest,
  DocumentsRequest: documentsRequest,
  EmbeddingRequest: embeddingRequest,
  JobRequest: jobRequest,
  LoadLoraRequest: vllmLoadRequest,
  LoraScales: loraScales,
  SearchRequest: searchRequest,
  UnloadLoraRequest: vllmUnloadRequest,
  VectorStoreBatchRequest: vectorStoreBatchRequest,
  VectorStoreChange: vectorStoreChange,
  VectorStoreFileChange: vectorStoreFileChange,
  VectorStoreFileRequest: vectorStoreFileRequest,
  VectorStoreRequest: vectorStoreRequest,
  VectorStoreSearch: vectorStoreSearch,
} as const

/** What follows the question mark. */
export const queries = {
  collection: v.pick(documentListQuery, ["collection"]),
  documents: documentListQuery,
  events: v.object({ ...jobListQuery.entries, stream: v.optional(v.picklist(["true", "false"]), "false") }),
  files: fileListQuery,
  jobs: jobListQuery,
  vectorStores: vectorStoreListQuery,
  vectorStoreFiles: vectorStoreFileListQuery,
} as const

/** What answers hold. */
const results = {
  AdapterCard: answers.adapterCard,
  AdapterList: answers.adapterList,
  AddedDocuments: answers.addedDocuments,
  ChatCompletion: chatCompletion,
  ChatCompletionChunk: chatCompletionChunk,
  Completion: completion,
  DeletedAdapter: answers.deletedAdapter,
  DeletedDocument: answers.deletedDocument,
  DeletedFile: answers.deletedFile,
  DeletedModel: answers.deletedModel,
  DeletedVectorStore: answers.deletedVectorStore,
  DeletedVectorStoreFile: answers.deletedVectorStoreFile,
  Done: answers.done,
  DocumentList: answers.documentList,
  DocumentObject: answers.documentObject,
  DocumentText: answers.documentText,
  EmbeddingList: answers.embeddingList,
  Error: answers.errorBody,
  FileObject: answers.fileObject,
  FilePage: answers.filePage,
  Health: answers.health,
  JobCheckpointPage: answers.jobCheckpointPage,
  JobEvent: answers.jobEvent,
  JobEventPage: answers.jobEventPage,
  JobObject: answers.jobObject,
  JobPage: answers.jobPage,
  Live: answers.live,
  LoraList: answers.loraList,
  ModelCard: answers.modelCard,
  ModelList: answers.modelList,
  PassageList: answers.passageList,
  VectorStore: answers.vectorStore,
  VectorStoreBatch: answers.vectorStoreBatch,
  VectorStoreFile: answers.vectorStoreFile,
  VectorStoreFileContent: answers.vectorStoreFileContent,
  VectorStoreFilePage: answers.vectorStoreFilePage,
  VectorStorePage: answers.vectorStorePage,
  VectorStoreResults: answers.vectorStoreResults,
} as const

export type BodyName = keyof typeof bodies
export type QueryName = keyof typeof queries
export type ResultName = keyof typeof results

/** A JSON schema by the name that hono-openapi has for it. */
type Schemas = NonNullable<NonNullable<GenerateSpecOptions["documentation"]["components"]>["schemas"]>

/** What of a schema JSON Schema has no word for (own checks, transformations) is left out: `param` of an error names it. */
const settings = {
  typeMode: "input",
  target: "draft-2020-12",
  errorMode: "ignore",
  overrideRef: ({ referenceId }: { readonly referenceId: string }) => `#/components/schemas/${referenceId}`,
  // Our own checks are of objects.
  overrideSchema: ({ valibotSchema }: { readonly valibotSchema: { readonly type: string } }) =>
    valibotSchema.type === "custom" ? { type: "object" as const } : undefined,
} as const

/** The schemas of the document. */
export const componentSchemas = (): Schemas =>
  toJsonSchemaDefs({ ...bodies, ...results }, settings) as unknown as Schemas

/** A component's place. */
export const refTo = (name: BodyName | ResultName): { readonly $ref: string } => ({
  $ref: `#/components/schemas/${name}`,
})

/** A query's fields as parameters. */
export function queryParameters(name: QueryName): NonNullable<DescribeRouteOptions["parameters"]> {
  const { properties, required } = toJsonSchema(queries[name] as v.GenericSchema, settings)
  return Object.entries(properties ?? {}).map(([field, schema]) => ({
    name: field,
    in: "query",
    required: required?.includes(field) ?? false,
    schema: schema as object,
  }))
}
