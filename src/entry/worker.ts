/**
 * @module Espalier on Cloudflare's workers. The engine lives in a Durable Object: all of an object's requests share one
 * context, as continuous batching needs, whereas a plain worker's promises may not outlive the request that made them.
 * The base comes from the assets or from the bucket, adapters and documents from the bucket; none of them is part of the
 * script.
 */
import { createApp } from "../../routes/app.ts"
import { trainAdapterRoutes } from "../../routes/train-adapter.ts"
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { createExclusive } from "../core/exclusive.ts"
import { bucketAdapter, bucketEngine } from "../presets/bucket-adapters.ts"
import { type BucketDocuments, bucketDocuments } from "../presets/bucket-documents.ts"
import { bucketTrainer } from "../presets/bucket-trainer.ts"
import { folderProfile } from "../presets/folder-profile.ts"
import { type OpenBase, openBaseFolder } from "../presets/open-base.ts"
import { readAdapterFrom } from "../presets/read-adapter.ts"
import { sessionTurns } from "../presets/session-turns.ts"
import { useCompiledWasm } from "../runtime/compiled-wasm.ts"
import { engineModule } from "../runtime/engine-module.ts"
import { wasm } from "../runtime/wasm.ts"
import { createBreathe } from "../serve/breathe.ts"
import type { Decoder } from "../serve/decoder.ts"
import { createEngine } from "../serve/engine.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { createService } from "../service/service.ts"
import { type Bucket, bucketFolder } from "../store/bucket-folder.ts"
import type { Folder } from "../store/folder.ts"
import { type Fetcher, webFolder } from "../store/web-folder.ts"

/** What the worker is bound to: see wrangler.jsonc. */
export interface WorkerBindings {
  /** The engines. */
  readonly ENGINE: {
    idFromName(name: string): unknown
    get(id: unknown): { fetch(request: Request): Promise<Response> }
  }
  /** Adapters, below `adapters/` and `blobs/`, documents, below `documents/`, and the base, if `BASE` begins with `r2:`. */
  readonly BUCKET: Bucket
  /** Static files, the base among them unless it lies in the bucket. */
  readonly ASSETS?: { fetch: Fetcher }
  /** Where the base lies: a folder of the assets, `sprig`, or of the bucket, `r2:bases/sprig`. */
  readonly BASE: string
  /** What clients send as `Authorization: Bearer <key>`. Without it only requests to localhost are answered. */
  readonly API_KEY?: string
  /** Engines that requests are spread over. @default {"1"} */
  readonly REPLICAS?: string
  /** Milliseconds for which a loaded adapter isn't compared with the bucket's. @default {"2000"} */
  readonly ADAPTER_TRUST_MS?: string
}

/** Where documents lie in the bucket. */
const DOCUMENTS = "documents/"
/** Bytes of documents: their words are held in memory as well. */
const MAX_DOCUMENT_BYTES = 8 * 2 ** 20
/** Where documents are looked at, and where they change: that goes to one engine, which the others follow. */
const LOOKING = /^\/v1\/(rag|chat)\//
const CHANGING = /^\/v1\/rag\/documents(\/|$)/
/** An isolate has 128 MB: room for a conversation's beginning, not for many. */
const PREFIX_CACHE_BYTES = 4 * 2 ** 20
/** Answers at once and in line: every answer has keys and values of its own. */
const SCHEDULER = { maxActive: 4, maxWaiting: 32, defaultMaxTokens: 256 }
const MAX_BODY_BYTES = 2 * 2 ** 20
/** What training within a request may take: some tens of seconds of processor time over a base of sprig's size. */
const TRAIN_LIMITS = { maxExamples: 512, maxRows: 4096 }
/** What a training step computes at once, in positions: what an isolate has room for beside what answers. */
const TRAIN_POSITIONS = 64

/**
 * Decoders by their objects' ids. An object that was idle for some seconds goes without a word, and one of the same id comes with the next
 * request, often in this isolate, whose WebAssembly memory still has the weights of the one before.
 */
const decoders = new Map<string, Decoder>()
/** Bases of the assets, by name, for all objects of this isolate: open, as a promise of one object is not another's to wait for. */
const bases = new Map<string, OpenBase>()

interface App {
  readonly fetch: ReturnType<typeof createApp>["fetch"]
  readonly documents: BucketDocuments
}

/** One engine, with everything that it has loaded. */
export class EspalierEngine {
  readonly #id: string
  readonly #bindings: WorkerBindings
  #app: Promise<App> | null = null

  constructor(state: { readonly id: object }, bindings: WorkerBindings) {
    this.#id = String(state.id)
    this.#bindings = bindings
  }

  /** Answers one request; the first one opens the base. */
  async fetch(request: Request): Promise<Response> {
    this.#app ??= openApp(this.#id, this.#bindings)
    let app: App
    try {
      app = await this.#app
    } catch (error) {
      // What was missing may be there by the next request.
      this.#app = null
      throw error
    }
    if (changesDocuments(request)) return app.documents.change(async () => app.fetch(request))
    if (looksAtDocuments(request)) await app.documents.follow()
    return app.fetch(request)
  }
}

async function openApp(id: string, bindings: WorkerBindings): Promise<App> {
  const { BUCKET: bucket, API_KEY: apiKey, ADAPTER_TRUST_MS: trustMs } = bindings
  useCompiledWasm(engineModule)
  await decoders.get(id)?.rest?.()
  const runtime = await wasm.open({ threads: 1 })
  const open = await openBaseOf(bindings)
  const { base, tokenizer, eosIds } = open
  if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
  const breathe = createBreathe()
  // Every session holds the weights: those that answer go while one trains, which gives way to whoever asks.
  const turns = sessionTurns({
    async isAnswering() {
      const { active, waiting } = await local.stats()
      return active + waiting > 0
    },
    restAnswers: () => local.rest(),
    breathe,
  })
  const decoder = await graphDecoder({
    ...{ runtime, base, prefixCacheBytes: PREFIX_CACHE_BYTES, fewSessions: true },
    makeRoom: () => turns.beforeAnswers(),
  })
  decoders.set(id, decoder)
  // Each holds a file and what is made of it.
  const reads = createExclusive()
  const local = createEngine({
    base: base.name,
    baseHash: base.hash,
    backend: `${runtime.name} (${runtime.detail})`,
    ...{ decoder, tokenizer, eosIds },
    readAdapter: (name) =>
      reads.run(async () => readAdapterFrom(open, await bucketAdapter(bucket, name), { promotedOnly: true })),
    scheduler: SCHEDULER,
    maxAdapters: 16,
  })
  const engine = bucketEngine(local, {
    bucket,
    onStale: (name, error) => console.error(`Adapter ${name} stays as it was:`, error),
    ...(trustMs !== undefined && { trustMs: Number(trustMs) }),
  })
  const documents = bucketDocuments({
    ...{ bucket, prefix: DOCUMENTS, maxBytes: MAX_DOCUMENT_BYTES },
    ...(trustMs !== undefined && { trustMs: Number(trustMs) }),
    chunks: { count: (text) => tokenizer.encode(text, { parseSpecial: false }).length },
  })
  const retrieval = { profile: await folderProfile(open.folder) }
  const app = createApp(createService({ engine, documents: documents.index, retrieval }), {
    ...(apiKey !== undefined && { apiKey }),
    maxBodyBytes: MAX_BODY_BYTES,
    // Here a client's leaving reaches a stream as an error, and is none.
    onError: (error, id) => {
      if (!isEspalierError(error, "aborted")) console.error(id, error)
    },
  })
  const train = bucketTrainer({
    ...{ open, runtime, engine, limits: TRAIN_LIMITS, maxPositions: TRAIN_POSITIONS, turns },
  })
  const { fetch } = app.route("/", trainAdapterRoutes(train, MAX_BODY_BYTES))
  return { fetch, documents }
}

async function openBaseOf(bindings: WorkerBindings): Promise<OpenBase> {
  const { BASE: name } = bindings
  const known = bases.get(name)
  if (known) return known
  const open = await openBaseFolder(await folderOfBase(bindings), name, { cacheFolder: null })
  // Assets change with the script alone, a bucket at any time.
  if (!isInBucket(name)) bases.set(name, open)
  return open
}

const isInBucket = (base: string): boolean => base.startsWith("r2:")

async function folderOfBase({ BASE: base, BUCKET: bucket, ASSETS: assets }: WorkerBindings): Promise<Folder> {
  if (isInBucket(base)) return bucketFolder(bucket, `${base.slice(3).replace(/\/$/, "")}/`)
  if (!assets)
    throw new EspalierError("unavailable", `BASE is ${base}, but there are no assets to find it in`, {
      hint: 'Bind ASSETS, or put the base into the bucket and set BASE to "r2:<folder>"',
    })
  return webFolder((url) => assets.fetch(url), `https://assets/${base}/`)
}

const looksAtDocuments = ({ url }: Request): boolean => LOOKING.test(new URL(url).pathname)
const changesDocuments = ({ method, url }: Request): boolean =>
  ["POST", "DELETE"].includes(method) && CHANGING.test(new URL(url).pathname)

/** Passes a request on to an engine. */
export async function handleRequest(
  request: Request,
  { ENGINE: engines, REPLICAS }: WorkerBindings,
): Promise<Response> {
  const replicas = Math.max(1, Number(REPLICAS ?? 1))
  const replica = changesDocuments(request) ? 0 : Math.floor(Math.random() * replicas)
  try {
    return await engines.get(engines.idFromName(`engine-${replica}`)).fetch(request)
  } catch (error) {
    console.error(error)
    return Response.json(
      { error: { message: "The engine could not be reached", type: "server_error", param: null, code: "unavailable" } },
      { status: 503, headers: { "retry-after": "5" } },
    )
  }
}
