/**
 * @module What `deno serve` starts: a base and its adapters on WebAssembly, with leave to read files and the environment and
 * for nothing else, as on Deno Deploy. The first request opens the base. `espalier serve` is the whole server.
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import { createApp } from "../../routes/app.ts"
import { EspalierError } from "../core/errors.ts"
import { openBase } from "../presets/open-base.ts"
import { readAdapterFrom } from "../presets/read-adapter.ts"
import { wasm } from "../runtime/wasm.ts"
import { createEngine } from "../serve/engine.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { createService } from "../service/service.ts"
import { fsFolder } from "../store/folder.ts"

/** Settings, by the names of their environment variables. */
export interface DenoServeEnvironment {
  /** The base's folder. @default the embedded one */
  readonly ESPALIER_BASE?: string | undefined
  /** `name=folder`, several with commas between. */
  readonly ESPALIER_ADAPTERS?: string | undefined
  /** What clients send as `Authorization: Bearer <key>`. Without it only requests to localhost are answered. */
  readonly ESPALIER_API_KEY?: string | undefined
}

type App = ReturnType<typeof createApp>

/** Opens the base and loads its adapters. @throws {EspalierError} If one of them can't be used. */
export async function openDenoApp(environment: DenoServeEnvironment): Promise<App> {
  const embedded = fileURLToPath(new URL("../../models/sprig", import.meta.url))
  const runtime = await wasm.open({ threads: 1 })
  // Nothing may be written, so the weights stay in memory.
  const open = await openBase(environment.ESPALIER_BASE ?? embedded, { cacheFolder: null })
  const { base, tokenizer, eosIds } = open
  if (!tokenizer) throw new EspalierError("unsupported", `Base "${base.name}" has no tokenizer.json`)
  const engine = createEngine({
    base: base.name,
    baseHash: base.hash,
    backend: `${runtime.name} (${runtime.detail})`,
    decoder: await graphDecoder({ runtime, base }),
    ...{ tokenizer, eosIds },
    readAdapter: (path) => readAdapterFrom(open, fsFolder(path), { promotedOnly: true }),
  })
  for (const adapter of (environment.ESPALIER_ADAPTERS ?? "").split(",").filter((part) => part !== "")) {
    const [name, path] = adapter.split("=")
    if (!name || !path)
      throw new EspalierError("invalid_request", `Expected name=folder but found ${JSON.stringify(adapter)}`, {
        param: "ESPALIER_ADAPTERS",
      })
    await engine.load(name, { path })
  }
  const apiKey = environment.ESPALIER_API_KEY
  return createApp(createService({ engine }), apiKey === undefined ? {} : { apiKey })
}

let app: Promise<App> | null = null

/** Answers a request. */
async function handle(request: Request): Promise<Response> {
  const { ESPALIER_BASE, ESPALIER_ADAPTERS, ESPALIER_API_KEY } = process.env
  app ??= openDenoApp({ ESPALIER_BASE, ESPALIER_ADAPTERS, ESPALIER_API_KEY })
  return (await app).fetch(request)
}

const server = { fetch: handle }

// biome-ignore lint/style/noDefaultExport: that is what `deno serve` looks for
export { server as default }
