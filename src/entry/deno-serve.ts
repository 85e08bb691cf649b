/**
 * @module What `deno serve` starts: a base and its adapters on WebAssembly, with leave to read files and the environment and
 * for nothing else, as on Deno Deploy. The first request opens the base. `espalier serve` is the whole server.
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import { createApp } from "../../routes/app.ts"
import { errorResponse, HttpError } from "../../routes/errors.ts"
import { EspalierError } from "../core/errors.ts"
import { openBase } from "../presets/open-base.ts"
import { readAdapterFrom } from "../presets/read-adapter.ts"
import { wasm } from "../runtime/wasm.ts"
import { createEngine } from "../serve/engine.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { createService } from "../service/service.ts"
import { fsFolder } from "../store/folder.ts"
import { isLoopback } from "./loopback.ts"

/** Settings, by the names of their environment variables. */
export interface DenoServeEnvironment {
  /** The base's folder. @default the embedded one */
  readonly ESPALIER_BASE?: string | undefined
  /** `name=folder`, several with commas between. */
  readonly ESPALIER_ADAPTERS?: string | undefined
  /**
   * What clients send as `Authorization: Bearer <key>`. Without it only requests of this machine, and to localhost, are answered:
   * `deno serve` listens to everybody unless it is told a host.
   */
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

/** Where a request comes from, as `deno serve` tells it. */
interface ServeInfo {
  readonly remoteAddr?: { readonly hostname?: string }
}

/** Answers a request. */
async function handle(request: Request, info?: ServeInfo): Promise<Response> {
  const { ESPALIER_BASE, ESPALIER_ADAPTERS, ESPALIER_API_KEY } = process.env
  // A socket of both kinds gives addresses of IPv4 as those of IPv6.
  const from = info?.remoteAddr?.hostname?.replace(/^::ffff:/, "")
  if (ESPALIER_API_KEY === undefined && from !== undefined && !isLoopback(from)) {
    const message = "Without ESPALIER_API_KEY this server answers its own machine only"
    return errorResponse(new HttpError(403, "invalid_request", message))
  }
  const opening = app ?? openDenoApp({ ESPALIER_BASE, ESPALIER_ADAPTERS, ESPALIER_API_KEY })
  app = opening
  try {
    return (await opening).fetch(request)
  } catch (error) {
    // Tried anew by the next request, which a base that is mended meanwhile answers. What is wrong is its owner's to read.
    if (app === opening) app = null
    console.error(error instanceof EspalierError ? [error.message, error.hint ?? ""].join("\n") : error)
    return errorResponse(new EspalierError("unavailable", "The base could not be opened"))
  }
}

const server = { fetch: handle }

// biome-ignore lint/style/noDefaultExport: that is what `deno serve` looks for
export { server as default }
