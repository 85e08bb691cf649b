/**
 * @module The facade that routes and the command line share: plain values and Web-standard types, no HTTP framework.
 */
import * as adapters from "./adapters.ts"
import { chat } from "./chat.ts"
import { complete } from "./completions.ts"
import { createContext, type ServiceContext, type ServiceOptions } from "./context.ts"
import { createDocumentService, type DocumentService } from "./documents.ts"
import { type EmbeddingList, embeddings } from "./embeddings.ts"
import { createFileService, type FileService } from "./files.ts"
import { createJobService, type JobService } from "./fine-tuning.ts"
import type { Caller } from "./form-part.ts"
import type { CallOptions, Outcome } from "./generate.ts"
import { type Health, healthOf } from "./health.ts"
import type { DeletedBody } from "./jobs-wire.ts"
import { listLoras, scaleLoras } from "./loras.ts"
import { jobMetrics } from "./metrics/job-metrics.ts"
import { meteredEngine } from "./metrics/metered-engine.ts"
import { exposition } from "./metrics/registry.ts"
import * as models from "./models.ts"
import { createOnceCache } from "./once-cache.ts"
import { deleteModel } from "./shelved-models.ts"
import { createTenants } from "./tenants.ts"
import { createVectorStoreService, type VectorStoreService } from "./vector-stores.ts"
import type {
  AdapterCard,
  ChatCompletion,
  ChatCompletionChunk,
  Completion,
  ListBody,
  LoraAdapter,
  ModelCard,
} from "./wire.ts"

/** Everything that the server can do. Errors are {@link EspalierError}s. */
export interface Service {
  /** @throws {EspalierError} `unavailable` if the engine is gone */
  health(): Promise<Health>
  /** Counters and times as text for Prometheus. @throws {EspalierError} `unavailable` if the engine is gone */
  metrics(): Promise<string>
  listModels(caller?: Caller): Promise<ListBody<ModelCard>>
  retrieveModel(id: string, caller?: Caller): Promise<ModelCard>
  /** @throws {EspalierError} `not_found`, or `conflict` for what no job of this server made */
  deleteModel(id: string, caller?: Caller): Promise<DeletedBody<"model">>
  /** @param body parsed JSON, checked here */
  chat(body: unknown, options?: CallOptions): Promise<Outcome<ChatCompletion, ChatCompletionChunk>>
  /** @param body parsed JSON, checked here */
  complete(body: unknown, options?: CallOptions): Promise<Outcome<Completion, Completion>>
  /** @param body parsed JSON, checked here */
  embeddings(body: unknown, options?: CallOptions): Promise<Outcome<EmbeddingList, never>>
  listAdapters(caller?: Caller): Promise<ListBody<AdapterCard>>
  retrieveAdapter(name: string, caller?: Caller): Promise<AdapterCard>
  loadAdapter(request: adapters.LoadRequest, caller?: Caller): Promise<AdapterCard>
  /** Goes back to the version that was replaced. @throws {EspalierError} `not_found`, `conflict` */
  rollbackAdapter(name: string, caller?: Caller): Promise<AdapterCard>
  unloadAdapter(name: string, caller?: Caller): Promise<void>
  /** Adapters with ids and scales, as llama.cpp has them. */
  listLoras(caller?: Caller): Promise<readonly LoraAdapter[]>
  /** What adapters weigh in requests to the base that say nothing else. @param body parsed JSON, checked here */
  scaleLoras(body: unknown, caller?: Caller): Promise<void>
  /** Training files; null where the server keeps none. */
  readonly files: FileService | null
  /** Fine-tuning jobs; null where the server runs none. */
  readonly jobs: JobService | null
  /** Documents to search; null where the server keeps none. */
  readonly documents: DocumentService | null
  /** Documents under OpenAI's names; null where the server keeps no files or no documents. */
  readonly vectorStores: VectorStoreService | null
  /** Ends what is in flight and frees the engine. */
  close(): Promise<void>
}

/** A service over an engine. */
export function createService(options: ServiceOptions): Service {
  const { engine, scrape } = meteredEngine(options.engine)
  const context = createContext({ ...options, engine })
  const { store, training } = options
  const tenants = createTenants(context)
  const viewOf = (tenant: string | undefined): ServiceContext => tenants.view(tenant ?? null)
  const once = createOnceCache(context.now)
  const maxFileBytes = options.maxFileBytes ?? 100 * 2 ** 20
  const documents = options.documents ? createDocumentService(options.documents, maxFileBytes) : null
  const files = store ? createFileService(store, maxFileBytes) : null
  const jobs = store && training ? createJobService(store, training.queue, training.runner, context.engine.info) : null
  return {
    health: healthOf(context.engine),
    metrics: async () => `${await scrape()}${store ? exposition(jobMetrics(store.database)) : ""}`,
    listModels: (caller) => models.listModels(viewOf(caller?.owner)),
    retrieveModel: (id, caller) => models.retrieveModel(viewOf(caller?.owner), id),
    deleteModel: (id, caller) => deleteModel(viewOf(caller?.owner), id),
    chat: (body, call) => chat(viewOf(call?.tenant), body, call),
    complete: (body, call) => complete(viewOf(call?.tenant), body, call),
    embeddings: (body, call) => embeddings(viewOf(call?.tenant), body, call),
    listAdapters: (caller) => adapters.listAdapters(viewOf(caller?.owner)),
    retrieveAdapter: (name, caller) => adapters.retrieveAdapter(viewOf(caller?.owner), name),
    loadAdapter: (request, caller = {}) =>
      once.run(caller, request, () => adapters.loadAdapter(viewOf(caller.owner), request)),
    // Sent twice it would undo itself.
    rollbackAdapter: (name, caller = {}) =>
      once.run(caller, { rollback: name }, () => adapters.rollbackAdapter(viewOf(caller.owner), name)),
    listLoras: (caller) => listLoras(viewOf(caller?.owner)),
    scaleLoras: (body, caller) => scaleLoras(viewOf(caller?.owner), body),
    unloadAdapter: (name, caller) => adapters.unloadAdapter(viewOf(caller?.owner), name),
    files,
    jobs,
    documents,
    vectorStores: options.documents && store ? createVectorStoreService(options.documents, store) : null,
    async close() {
      await jobs?.close()
      await context.engine.close()
      store?.database.close()
      options.documents?.close()
    },
  }
}
