/**
 * @module What answers hold, as schemas for the API document; each is held to the type that the service gives.
 */
import * as v from "valibot"
import type { DocumentList, DocumentObject, PassageObject } from "../../src/service/documents-wire.ts"
import type { EmbeddingList } from "../../src/service/embeddings.ts"
import type { Health } from "../../src/service/health.ts"
import type {
  DeletedBody,
  FileObject,
  JobCheckpointObject,
  JobEventObject,
  JobHyperparameters,
  JobObject,
  PageBody,
} from "../../src/service/jobs-wire.ts"
import type {
  FileContentPage,
  VectorStoreBatchObject,
  VectorStoreFileObject,
  VectorStoreObject,
  VectorStoreSearchPage,
} from "../../src/service/vector-stores-wire.ts"
import type { AdapterCard, ErrorBody, ListBody, LoraAdapter, ModelCard } from "../../src/service/wire.ts"

/** The schema, if what it describes is a `T`. */
export const answerOf =
  <T>() =>
  <S extends v.GenericSchema<unknown, T>>(schema: S): S =>
    schema

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const nullable = v.nullable(v.string())

/** Every error. */
export const errorBody = answerOf<ErrorBody>()(
  v.object({ error: v.object({ message: v.string(), type: v.string(), param: nullable, code: nullable }) }),
)

/** That the server is there, and how busy it is. */
export const health = answerOf<Health>()(
  v.object({ status: v.literal("ok"), active: count, waiting: count, adapters: count }),
)

/** That the process answers. */
export const live = v.object({ status: v.literal("ok") })

/** A model. */
export const modelCard = answerOf<ModelCard>()(
  v.object({
    id: v.string(),
    object: v.literal("model"),
    created: count,
    owned_by: v.string(),
    root: v.string(),
    parent: nullable,
    max_model_len: count,
  }),
)

const list = <S extends v.GenericSchema>(schema: S) =>
  v.object({ object: v.literal("list"), data: v.array(schema), has_more: v.literal(false) })

/** The base, then adapters. */
export const modelList = answerOf<ListBody<ModelCard>>()(list(modelCard))

/** A loaded adapter. */
export const adapterCard = answerOf<AdapterCard>()(
  v.object({
    id: v.string(),
    object: v.literal("adapter"),
    hash: v.string(),
    method: v.string(),
    bytes: count,
    parent: v.string(),
    previous_hash: nullable,
    resident: v.boolean(),
  }),
)

/** Adapters as llama.cpp lists them. */
export const loraList = answerOf<readonly LoraAdapter[]>()(
  v.array(
    v.object({
      id: count,
      path: v.string(),
      scale: v.number(),
      task_name: v.literal(""),
      prompt_prefix: v.literal(""),
    }),
  ),
)

/** That it is done, as llama.cpp says it. */
export const done = v.object({ success: v.literal(true) })

/** Loaded adapters. */
export const adapterList = answerOf<ListBody<AdapterCard>>()(list(adapterCard))

const deletedOf = <const O extends string>(object: O) =>
  answerOf<DeletedBody<O>>()(
    v.object({ id: v.string(), object: v.literal(object), deleted: v.literal(true) }) as v.GenericSchema<
      DeletedBody<O>
    >,
  )

/** A model that is gone. */
export const deletedModel = deletedOf("model")
/** An adapter that is gone. */
export const deletedAdapter = deletedOf("adapter")
/** A file that is gone. */
export const deletedFile = deletedOf("file")
/** A document that is gone. */
export const deletedDocument = deletedOf("rag.document")
/** A vector store that is gone. */
export const deletedVectorStore = deletedOf("vector_store.deleted")
/** A file that a vector store has no more. */
export const deletedVectorStoreFile = deletedOf("vector_store.file.deleted")

/** Vectors. */
export const embeddingList = answerOf<EmbeddingList>()(
  v.object({
    object: v.literal("list"),
    data: v.array(
      v.object({
        object: v.literal("embedding"),
        index: count,
        embedding: v.union([v.array(v.number()), v.string()]),
      }),
    ),
    model: v.string(),
    usage: v.object({ prompt_tokens: count, total_tokens: count }),
  }),
)

/** A file. */
export const fileObject = answerOf<FileObject>()(
  v.object({
    id: v.string(),
    object: v.literal("file"),
    bytes: count,
    created_at: count,
    filename: v.string(),
    purpose: v.picklist(["fine-tune", "fine-tune-results", "assistants", "user_data"]),
    status: v.literal("processed"),
  }),
)

const page = <T, S extends v.GenericSchema<unknown, T>>(schema: S) =>
  v.object({
    object: v.literal("list"),
    data: v.array(schema),
    has_more: v.boolean(),
    first_id: v.string(),
    last_id: v.string(),
  })

/** A page of files. */
export const filePage = answerOf<PageBody<FileObject>>()(page(fileObject))

const autoOrNumber = v.union([v.literal("auto"), v.number()])
const hyperparameters = answerOf<JobHyperparameters>()(
  v.object({ n_epochs: autoOrNumber, batch_size: autoOrNumber, learning_rate_multiplier: autoOrNumber }),
)

/** A fine-tuning job. */
export const jobObject = answerOf<JobObject>()(
  v.object({
    id: v.string(),
    object: v.literal("fine_tuning.job"),
    created_at: count,
    finished_at: v.nullable(count),
    estimated_finish: v.nullable(count),
    model: v.string(),
    fine_tuned_model: nullable,
    organization_id: v.string(),
    status: v.picklist(["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]),
    hyperparameters,
    method: v.object({ type: v.literal("supervised"), supervised: v.object({ hyperparameters }) }),
    training_file: v.string(),
    validation_file: nullable,
    result_files: v.array(v.string()),
    trained_tokens: v.nullable(count),
    seed: v.number(),
    error: v.nullable(v.object({ code: v.string(), message: v.string(), param: nullable })),
    integrations: v.array(v.never()),
    metadata: v.nullable(v.record(v.string(), v.string())),
    user_provided_suffix: nullable,
    espalier: v.object({
      method: v.string(),
      settings: v.record(v.string(), v.unknown()),
      paused: v.boolean(),
      step: count,
      steps: v.nullable(count),
    }),
  }),
)

/** A page of jobs. */
export const jobPage = answerOf<PageBody<JobObject>>()(page(jobObject))

/** An event of a job. */
export const jobEvent = answerOf<JobEventObject>()(
  v.object({
    id: v.string(),
    object: v.literal("fine_tuning.job.event"),
    created_at: count,
    level: v.picklist(["info", "warn", "error"]),
    message: v.string(),
    type: v.picklist(["message", "metrics"]),
    data: v.unknown(),
  }),
)

/** A page of events. */
export const jobEventPage = answerOf<PageBody<JobEventObject>>()(page(jobEvent))

/** A checkpoint of a job. */
export const jobCheckpoint = answerOf<JobCheckpointObject>()(
  v.object({
    id: v.string(),
    object: v.literal("fine_tuning.job.checkpoint"),
    created_at: count,
    fine_tuned_model_checkpoint: v.string(),
    fine_tuning_job_id: v.string(),
    metrics: v.record(v.string(), v.number()),
    step_number: count,
  }),
)

/** A page of checkpoints. */
export const jobCheckpointPage = answerOf<PageBody<JobCheckpointObject>>()(page(jobCheckpoint))

const metadata = v.record(v.string(), v.union([v.string(), v.number(), v.boolean()]))
const documentFields = {
  id: v.string(),
  object: v.literal("rag.document"),
  collection: v.string(),
  title: v.string(),
  metadata,
  created_at: count,
  bytes: count,
  chunks: count,
} as const

/** A document. */
export const documentObject = answerOf<DocumentObject>()(v.object(documentFields))

/** A document with what it says. */
export const documentText = v.object({ ...documentFields, text: v.string() })

const listOf = <T, S extends v.GenericSchema<unknown, T>>(schema: S) =>
  v.object({ object: v.literal("list"), data: v.array(schema), has_more: v.boolean() })

/** A page of documents. */
export const documentList = answerOf<DocumentList<DocumentObject>>()(listOf(documentObject))

/** Documents that were added. */
export const addedDocuments = listOf(v.object({ ...documentFields, change: v.string() }))

/** Passages, the best first. */
export const passageList = answerOf<DocumentList<PassageObject>>()(
  listOf(
    v.object({
      object: v.literal("rag.passage"),
      document_id: v.string(),
      title: v.string(),
      chunk: count,
      start: count,
      end: count,
      text: v.string(),
      metadata,
      score: v.number(),
      relevance: v.number(),
    }),
  ),
)

const none = v.literal(0)

const fileCounts = v.object({ in_progress: none, completed: count, failed: none, cancelled: none, total: count })

/** A vector store. */
export const vectorStore = answerOf<VectorStoreObject>()(
  v.object({
    id: v.string(),
    object: v.literal("vector_store"),
    created_at: count,
    name: v.string(),
    usage_bytes: count,
    file_counts: fileCounts,
    status: v.literal("completed"),
    expires_at: v.null(),
    last_active_at: count,
    metadata,
  }),
)

/** A page of vector stores. */
export const vectorStorePage = answerOf<PageBody<VectorStoreObject>>()(page(vectorStore))

/** A file of a vector store. */
export const vectorStoreFile = answerOf<VectorStoreFileObject>()(
  v.object({
    id: v.string(),
    object: v.literal("vector_store.file"),
    usage_bytes: count,
    created_at: count,
    vector_store_id: v.string(),
    status: v.literal("completed"),
    last_error: v.null(),
    chunking_strategy: v.object({ type: v.literal("other") }),
    attributes: metadata,
  }),
)

/** A page of them. */
export const vectorStoreFilePage = answerOf<PageBody<VectorStoreFileObject>>()(page(vectorStoreFile))

/** Files that were added together. */
export const vectorStoreBatch = answerOf<VectorStoreBatchObject>()(
  v.object({
    id: v.string(),
    object: v.literal("vector_store.files_batch"),
    created_at: count,
    vector_store_id: v.string(),
    status: v.literal("completed"),
    file_counts: fileCounts,
  }),
)

const textPart = v.object({ type: v.literal("text"), text: v.string() })

/** The text of a vector store's file. */
export const vectorStoreFileContent = answerOf<FileContentPage>()(
  v.object({
    object: v.literal("vector_store.file_content.page"),
    data: v.array(textPart),
    has_more: v.literal(false),
    next_page: v.null(),
  }),
)

/** What a vector store has about a question. */
export const vectorStoreResults = answerOf<VectorStoreSearchPage>()(
  v.object({
    object: v.literal("vector_store.search_results.page"),
    search_query: v.array(v.string()),
    data: v.array(
      v.object({
        file_id: v.string(),
        filename: v.string(),
        score: v.number(),
        attributes: metadata,
        content: v.array(textPart),
      }),
    ),
    has_more: v.literal(false),
    next_page: v.null(),
  }),
)
