/**
 * @module Espalier in a page: a base that is fetched, adapters trained on it, answers from it, on WebAssembly or the browser's
 * WebGPU. Nothing is sent anywhere: everything that this computes from stays in the page. It holds the thread while it
 * computes, so that its place is a Worker.
 */
import { unzipSync, zipSync } from "fflate"
import type * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import { openBaseFolder } from "../presets/open-base.ts"
import { readAdapterFrom } from "../presets/read-adapter.ts"
import { trainHere } from "../presets/train-here.ts"
import { chooseBackend } from "../runtime/choose.ts"
import type { Runtime } from "../runtime/runtime.ts"
import { wasm } from "../runtime/wasm.ts"
import { webgpu } from "../runtime/webgpu.ts"
import { createEngine } from "../serve/engine.ts"
import type { AdapterInfo, EngineInfo } from "../serve/engine-api.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { checkName } from "../service/adapters.ts"
import { checked } from "../service/check.ts"
import { type TrainedCard, trainRequest } from "../service/train-request.ts"
import { memoryFolder } from "../store/folder.ts"
import { type Fetcher, webFolder } from "../store/web-folder.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { TrainEvent } from "../train/events.ts"

export { EspalierError } from "../core/errors.ts"
export type { AdapterInfo, EngineInfo } from "../serve/engine-api.ts"
export type { TrainedCard } from "../service/train-request.ts"
export type { ChatMessage } from "../text/tokenizer-contract.ts"
export type { TrainEvent } from "../train/events.ts"

/** Where things lie, and what computes. */
export interface BrowserOptions {
  /** URL of a base's folder, ending in a slash: a Hugging Face folder with a `files.json` that lists its files. */
  readonly base: string
  /** @default {"auto"} the first of wasm and webgpu that runs here */
  readonly backend?: "auto" | "wasm" | "webgpu"
  /** URL of the folder with onnxruntime-web's WebAssembly, ending in a slash. @default beside its script */
  readonly engineUrl?: string
  /** More than one needs a page that is isolated from other origins. @default {1} */
  readonly threads?: number
  /** @default {globalThis.fetch} */
  readonly fetcher?: Fetcher
}

/** What `train` takes: the fields of `POST /v1/train`, of which `name` and `examples` are needed. */
export type BrowserTrainRequest = v.InferInput<typeof trainRequest>

/** A conversation to go on with. */
export interface BrowserChatRequest {
  readonly messages: readonly ChatMessage[]
  /** An adapter's name; null for the bare base. @default {null} */
  readonly adapter?: string | null
  /** @default {128} */
  readonly maxTokens?: number
  /** 0 takes the likeliest token each time. @default {0} */
  readonly temperature?: number
  readonly seed?: number
  readonly signal?: AbortSignal
}

/** A base in a page, with its adapters. */
export interface BrowserEspalier {
  readonly info: EngineInfo
  /**
   * Trains an adapter on rows in any shape that a data file may have, and loads it under its name, in place of one of that name.
   * @throws {EspalierError} naming the field or row at fault; `aborted`
   */
  train(
    request: BrowserTrainRequest,
    hooks?: { onEvent?(event: TrainEvent): void; readonly signal?: AbortSignal },
  ): Promise<TrainedCard>
  /** The answer, piece by piece. @throws {EspalierError} `not_found` for an adapter that isn't loaded; `invalid_request` */
  chat(request: BrowserChatRequest): AsyncGenerator<string, void, undefined>
  /** Loaded adapters by name. */
  adapters(): Promise<readonly AdapterInfo[]>
  /** An adapter's folder in PEFT's layout, as a zip file. @throws {EspalierError} `not_found` */
  exportAdapter(name: string): Uint8Array<ArrayBuffer>
  /**
   * Loads an adapter's folder from a zip file, in place of one of that name.
   * @throws {EspalierError} `invalid_file`, `adapter_mismatch`
   */
  importAdapter(name: string, zip: Uint8Array): Promise<AdapterInfo>
  close(): Promise<void>
}

/** Files of a zip, those of one folder in it included, may have so many bytes together. */
const MAX_UNZIPPED = 2 ** 30

/**
 * Opens a base.
 * @throws {EspalierError} `not_found` or `invalid_file` naming what can't be read, `unavailable` if the backend can't run here
 */
export async function openInBrowser(options: BrowserOptions): Promise<BrowserEspalier> {
  const { backend = "auto", engineUrl, threads = 1 } = options
  const chosen = await chooseBackend(backend, [wasm, webgpu])
  const runtime = await chosen.backend.open({ threads, ...(engineUrl !== undefined && { engineUrl }) })
  try {
    return await openOn(runtime, options)
  } catch (error) {
    await runtime.dispose()
    throw error
  }
}

/** The same on a runtime, which goes when what is opened is closed. */
async function openOn(
  runtime: Runtime,
  { fetcher = (url) => fetch(url), ...options }: BrowserOptions,
): Promise<BrowserEspalier> {
  const open = await openBaseFolder(await webFolder(fetcher, options.base), options.base, { cacheFolder: null })
  const { base, tokenizer, eosIds } = open
  if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
  const folders = new Map<string, ReadonlyMap<string, Uint8Array>>()
  const engine = createEngine({
    base: base.name,
    baseHash: base.hash,
    backend: `${runtime.name} (${runtime.detail})`,
    ...{ tokenizer, eosIds },
    decoder: await graphDecoder({ runtime, base }),
    readAdapter: (name) => readAdapterFrom(open, memoryFolder(name, folders.get(name) ?? new Map())),
  })
  const put = async (name: string, files: ReadonlyMap<string, Uint8Array>): Promise<AdapterInfo> => {
    const before = folders.get(name)
    folders.set(name, files)
    try {
      return await engine.load(name, { path: name }, { replace: true })
    } catch (error) {
      if (before) folders.set(name, before)
      else folders.delete(name)
      throw error
    }
  }
  return {
    info: engine.info,
    async train(request, hooks = {}) {
      const { files, card } = await trainHere({ open, runtime }, checked(trainRequest, request), hooks)
      await put(card.id, files)
      return card
    },
    async *chat({ messages, adapter = null, maxTokens = 128, temperature = 0, seed, signal }) {
      const { events } = await engine.generate(
        {
          ...{ prompts: [{ messages }], adapter, maxTokens },
          sampling: { temperature, ...(seed !== undefined && { seed }) },
        },
        signal && { signal },
      )
      for await (const event of events) if (event.type === "text-delta") yield event.text
    },
    adapters: () => engine.list(),
    exportAdapter(name) {
      const files = folders.get(name)
      if (!files) throw new EspalierError("not_found", `There is no adapter "${name.slice(0, 100)}"`)
      return zipSync(Object.fromEntries([...files].map(([file, bytes]) => [`${name}/${file}`, bytes])))
    },
    async importAdapter(name, zip) {
      checkName(name, base.name)
      return put(name, unzipped(zip))
    },
    async close() {
      await engine.close()
      await runtime.dispose()
    },
  }
}

/** Files of a zip by their names, without the folders that they lie in. */
function unzipped(zip: Uint8Array): ReadonlyMap<string, Uint8Array> {
  let bytes = 0
  try {
    const files = unzipSync(zip, {
      filter({ name, originalSize }) {
        bytes += originalSize
        if (bytes > MAX_UNZIPPED) throw new EspalierError("too_large", "The zip file holds more than 1 GiB")
        return !name.endsWith("/")
      },
    })
    return new Map(Object.entries(files).map(([name, content]) => [name.split("/").at(-1) ?? name, content]))
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause
    throw new EspalierError("invalid_file", "That is no zip file", { cause })
  }
}
