/**
 * @module A page's Worker that compares itself with PyTorch and PEFT: it is told a backend and a case, and answers with the checks.
 */
import { methods } from "../../../adapters/mod.ts"
import { type ParityCheck, runParity } from "../../../src/eval/parity.ts"
import { webParityCase, writeParityHere } from "../../../src/eval/parity-case.ts"
import { openBaseFolder } from "../../../src/presets/open-base.ts"
import { wasm } from "../../../src/runtime/wasm.ts"
import { webgpu } from "../../../src/runtime/webgpu.ts"

/** What the page sends. */
export interface ParityQuestion {
  readonly backend: "wasm" | "webgpu"
  readonly case: string
  readonly methods: readonly string[]
}

const scope = globalThis as unknown as {
  onmessage: ((event: { readonly data: ParityQuestion }) => void) | null
  postMessage(answer: readonly ParityCheck[] | string): void
}

async function compare({ backend, case: name, methods: only }: ParityQuestion): Promise<ParityCheck[]> {
  const url = (path: string): string => new URL(path, globalThis.location.href).href
  const runtime = await (backend === "wasm" ? wasm : webgpu).open({ threads: 1, engineUrl: url("engine/") })
  const checks: ParityCheck[] = []
  await runParity(
    webParityCase((at) => fetch(at), url(`parity/${name}/`), only),
    {
      ...{ runtime, methods },
      openBase: async (folder) => (await openBaseFolder(folder, folder.name, { cacheFolder: null })).base,
      only: null,
      write: writeParityHere,
      report: (check) => checks.push(check),
    },
  )
  return checks
}

scope.onmessage = ({ data }) => {
  compare(data).then(
    (checks) => scope.postMessage(checks),
    (error: unknown) => scope.postMessage(error instanceof Error ? `${error.message}\n${error.stack}` : String(error)),
  )
}
