/**
 * @module The whole HTTP app over the fake engine, and short ways to call it.
 */

import { type AppOptions, createApp } from "../../routes/app.ts"
import { plainRouter } from "../../src/answering/profile.ts"
import { plainReading } from "../../src/answering/reading.ts"
import type { JobStore } from "../../src/jobs/job-store.ts"
import { openTraining } from "../../src/presets/open-store.ts"
import type { DocumentIndex } from "../../src/rag/document-index.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import type { RetrievalOptions } from "../../src/service/retrieval-source.ts"
import { createService, type Service } from "../../src/service/service.ts"
import { type FakeDecoder, fakeAdapter } from "./fake-decoder.ts"
import { createFakeEngine, type FakeEngineOptions, fakeRoot } from "./fake-engine.ts"
import { createFakeRunner, type FakeRunner } from "./fake-runner.ts"
import { type Contract, contractOf } from "./fits-document.ts"
import { checkOpenaiAnswer } from "./fits-openai.ts"

/** What to make it of. */
export interface FakeAppOptions extends AppOptions, FakeEngineOptions {
  /** Adapters to load before anything else. */
  readonly adapters?: readonly string[]
  /** Where files and jobs are kept; without it there are none. */
  readonly store?: JobStore
  /** Its folder, for jobs; without it there are none. */
  readonly storeFolder?: string
  readonly maxFileBytes?: number
  /** Documents to search; without it there are none. */
  readonly documents?: DocumentIndex
  /** How questions are answered from them. @default the plain way, where a request asks for it */
  readonly retrieval?: RetrievalOptions
}

/** An app that can be called without a network. */
export interface FakeApp {
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** Every route that is there, as `GET /v1/models`. */
  readonly routes: readonly string[]
  readonly engine: EngineApi
  readonly decoder: FakeDecoder
  readonly service: Service
  /** What trains jobs; without a store's folder it trains none. */
  readonly runner: FakeRunner
  /** Errors that the app told its owner of. */
  readonly reported: unknown[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** @param body anything; what is no string goes as JSON */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  send(path: string, init: RequestInit): Promise<Response>
}

/** What the API document says: the same for every app. */
let contract: Promise<Contract> | null = null

/** A fresh app. Every answer of its short ways is held to the API document, and to what OpenAI publishes of its own. */
export async function createFakeApp(options: FakeAppOptions = {}): Promise<FakeApp> {
  const { engine, decoder } = createFakeEngine(options)
  for (const name of options.adapters ?? []) await engine.load(name, { adapter: fakeAdapter(name) })
  const { store, storeFolder } = options
  const runner = createFakeRunner(storeFolder ?? "", engine.info.baseHash)
  const reported: unknown[] = []
  const training =
    store && storeFolder !== undefined
      ? await openTraining({
          store,
          folder: storeFolder,
          engine,
          runner,
          onError: (error) => void reported.push(error),
        })
      : null
  const service = createService({
    engine,
    adapterRoot: { path: fakeRoot },
    now: () => 1_700_000_000_000,
    ...(store && { store }),
    ...(training && { training }),
    ...(options.retrieval && { retrieval: options.retrieval }),
    ...(options.documents && {
      documents: options.documents,
      retrieval: options.retrieval ?? { profile: { reading: plainReading, router: plainRouter } },
    }),
    ...(options.maxFileBytes !== undefined && { maxFileBytes: options.maxFileBytes }),
  })
  const app = createApp(service, { onError: (error) => void reported.push(error), ...options })
  contract ??= Promise.resolve(createApp(service).request("http://localhost/openapi.json")).then(async (response) =>
    contractOf(await response.json()),
  )
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await app.request(path, init)
    const asked = [init.method ?? "GET", path.split("?")[0]!, response] as const
    await (await contract!).check(...asked)
    await checkOpenaiAnswer(...asked)
    return response
  }
  return {
    fetch: (request) => app.fetch(request),
    routes: app.routes.map(({ method, path }) => `${method} ${path}`),
    engine,
    decoder,
    service,
    runner,
    reported,
    send,
    get: (path, headers = {}) => send(path, { headers }),
    post: (path, body, headers = {}) =>
      send(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
  }
}

/** The `data:` lines of a stream; comments are left out. */
export async function readEvents(response: Response): Promise<string[]> {
  const text = await response.text()
  return text.split("\n\n").flatMap((part) => (part.startsWith("data: ") ? [part.slice(6)] : []))
}
