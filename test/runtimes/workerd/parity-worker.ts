/**
 * @module A worker that compares itself with PyTorch and PEFT: `POST /` with `{"case", "methods"}` answers with the checks of a
 * case that lies among its assets. It computes in a Durable Object, as the product's engine does.
 */
import { methods } from "../../../adapters/mod.ts"
import { type ParityCheck, runParity } from "../../../src/eval/parity.ts"
import { webParityCase, writeParityHere } from "../../../src/eval/parity-case.ts"
import { openBaseFolder } from "../../../src/presets/open-base.ts"
import { useCompiledWasm } from "../../../src/runtime/compiled-wasm.ts"
import { engineModule } from "../../../src/runtime/engine-module.ts"
import { wasm } from "../../../src/runtime/wasm.ts"
import type { Fetcher } from "../../../src/store/web-folder.ts"

/** What the worker is bound to. */
export interface ParityBindings {
  readonly ASSETS: { fetch: Fetcher }
  readonly ENGINE: {
    idFromName(name: string): unknown
    get(id: unknown): { fetch(request: Request): Promise<Response> }
  }
}

/** Computes. */
export class ParityEngine {
  readonly #assets: ParityBindings["ASSETS"]

  constructor(_state: unknown, { ASSETS }: ParityBindings) {
    this.#assets = ASSETS
  }

  async fetch(request: Request): Promise<Response> {
    const asked = (await request.json()) as { readonly case: string; readonly methods: string[] }
    useCompiledWasm(engineModule)
    const runtime = await wasm.open({ threads: 1 })
    const checks: ParityCheck[] = []
    const fetcher: Fetcher = (url) => this.#assets.fetch(url)
    await runParity(webParityCase(fetcher, `https://assets/${asked.case}/`, asked.methods), {
      ...{ runtime, methods },
      openBase: async (folder) => (await openBaseFolder(folder, folder.name, { cacheFolder: null })).base,
      only: null,
      write: writeParityHere,
      report: (check) => checks.push(check),
    })
    return Response.json(checks)
  }
}

/** Passes a request on to the engine. */
export const handleRequest = (request: Request, { ENGINE }: ParityBindings): Promise<Response> =>
  ENGINE.get(ENGINE.idFromName("parity")).fetch(request)
