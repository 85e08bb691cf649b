/**
 * @module The HTTP app: mounts one module a resource, and turns whatever goes wrong into OpenAI's error object.
 */
import { Hono, type MiddlewareHandler } from "hono"
import { cors } from "hono/cors"
import { HTTPException } from "hono/http-exception"
import { EspalierError, isEspalierError } from "../src/core/errors.ts"
import { type Keyring, singleKey } from "../src/service/keyring.ts"
import type { Service } from "../src/service/service.ts"
import { adapterRoutes } from "./adapters.ts"
import { chatRoutes } from "./chat.ts"
import { completionRoutes } from "./completions.ts"
import { embeddingRoutes } from "./embeddings.ts"
import type { AppTypes, RouteEnvironment } from "./environment.ts"
import { errorResponse } from "./errors.ts"
import { fileRoutes } from "./files.ts"
import { fineTuningRoutes } from "./fine-tuning.ts"
import { healthRoutes } from "./health.ts"
import { metricRoutes } from "./metrics.ts"
import { bearerAuth } from "./middleware/auth.ts"
import { localOnly } from "./middleware/local-only.ts"
import { requestId } from "./middleware/request-id.ts"
import { type RequestEntry, requestLog } from "./middleware/request-log.ts"
import { modelRoutes } from "./models.ts"
import { documentRoutes } from "./openapi/document.ts"
import { ragRoutes } from "./rag.ts"
import { vectorStoreRoutes } from "./vector-stores.ts"
import { vllmRoutes } from "./vllm.ts"

/** How the app behaves. */
export interface AppOptions {
  /** What clients must send as `Authorization: Bearer <key>`; without it nobody is asked. */
  readonly apiKey?: string
  /** Keys with scopes and tenants, instead of one that may do everything. */
  readonly keyring?: Keyring
  /** Origins of web pages that may read answers; `*` for any. @default {[]} */
  readonly corsOrigins?: readonly string[]
  /** Milliseconds that a generation may take. @default {null} as long as it likes */
  readonly requestTimeoutMs?: number | null
  /** Gets one entry for each request. */
  readonly onRequest?: (entry: RequestEntry) => void
  /** Answer only requests that name this machine. @default {true} without an API key */
  readonly localOnly?: boolean
  /** @default {2097152} 2 MiB */
  readonly maxBodyBytes?: number
  /** Between two comments in a quiet stream. @default {5000} */
  readonly keepAliveMs?: number
  /** Gets every error that is our own fault. @default writes it to the console */
  readonly onError?: (error: unknown, requestId: string) => void
}

/** Every route over one service. */
export function createApp(service: Service, options: AppOptions = {}) {
  const environment: RouteEnvironment = {
    service,
    maxBodyBytes: options.maxBodyBytes ?? 2 * 1024 * 1024,
    keepAliveMs: options.keepAliveMs ?? 5000,
    requestTimeoutMs: options.requestTimeoutMs ?? null,
    onError: options.onError ?? ((error, requestId) => console.error(requestId, error)),
  }
  const app = new Hono<AppTypes>()
  app.onError((error, c) => {
    const response = errorResponse(knownError(error, c.req.raw.signal.aborted))
    if (response.status >= 500) environment.onError(error, c.get("requestId"))
    return response
  })
  app.notFound((c) =>
    errorResponse(
      new EspalierError("not_found", `There is no ${c.req.method} ${c.req.path.slice(0, 200)} here`, {
        hint: "/docs shows every route: /health, /health/live, /health/ready, /metrics, /v1/models, /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/adapters, /v1/files, /v1/fine_tuning/jobs, /v1/rag/documents, /v1/rag/search and /v1/vector_stores",
      }),
    ),
  )
  app.use(requestId())
  app.use(requestLog(options.onRequest ?? (() => {})))
  const keyring = options.keyring ?? (options.apiKey === undefined ? null : singleKey(options.apiKey))
  if (options.localOnly ?? keyring === null) app.use(localOnly(options.corsOrigins ?? []))
  if (options.corsOrigins?.length) app.use(crossOrigin(options.corsOrigins))
  if (keyring) app.use(bearerAuth(keyring))
  app.route("/", documentRoutes(app))
  // One expression, so that the typed client knows them all.
  return app
    .route("/", healthRoutes(environment))
    .route("/", metricRoutes(environment))
    .route("/", modelRoutes(environment))
    .route("/", chatRoutes(environment))
    .route("/", completionRoutes(environment))
    .route("/", embeddingRoutes(environment))
    .route("/", adapterRoutes(environment))
    .route("/", vllmRoutes(environment))
    .route("/", fileRoutes(environment))
    .route("/", fineTuningRoutes(environment))
    .route("/", ragRoutes(environment))
    .route("/", vectorStoreRoutes(environment))
}

/** The app's type, from which the typed client knows its routes. */
export type App = ReturnType<typeof createApp>

/** What an error is to whoever asked: Hono's own refusals have a message and nothing else worth telling. */
function knownError(error: Error, hasLeft: boolean): Error {
  if (error instanceof HTTPException && error.status < 500) return new EspalierError("invalid_request", error.message)
  // A body that breaks off is no fault of ours, and nobody hears the answer.
  if (hasLeft && !isEspalierError(error)) return new EspalierError("aborted", "The client left before it was answered")
  return error
}

/** Lets pages of these origins call; what they ask for beforehand needs no key, what they send does. */
function crossOrigin(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "POST", "DELETE"],
    exposeHeaders: ["x-request-id", "x-espalier-adapter", "openai-processing-ms", "retry-after", "x-should-retry"],
    maxAge: 600,
  })
}
