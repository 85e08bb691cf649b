/**
 * @module The few things that must work on every runtime: LoRA's losses and logits as PyTorch and PEFT have them, on both
 * CPU backends, and one answer over HTTP from an engine in a Worker. What fails throws.
 */
import { mkdtemp, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { methods } from "../../adapters/mod.ts"
import { createApp } from "../../routes/app.ts"
import { serveHttp } from "../../src/entry/http-server.ts"
import { runParity } from "../../src/eval/parity.ts"
import { diskParityCase, writeParityTo } from "../../src/eval/parity-case.ts"
import { openBaseFolder } from "../../src/presets/open-base.ts"
import { openEngineWorker } from "../../src/presets/open-engine.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import { createService } from "../../src/service/service.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs everything; `say` gets a line for each thing that works. */
export async function smoke(say: (line: string) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-smoke-"))
  try {
    for (const backend of ["native", "wasm"] as const) await learns(backend, folder, say)
    await serves(folder, say)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function learns(backend: "native" | "wasm", folder: string, say: (line: string) => void): Promise<void> {
  const { runtime } = await openRuntime(backend, { threads: 2 })
  const wrong: string[] = []
  let right = 0
  await runParity(await diskParityCase(join(root, "test", "fixtures", "parity", "llama")), {
    runtime,
    methods,
    openBase: async (base) => (await openBaseFolder(base, base.name, { cacheFolder: folder })).base,
    only: ["lora"],
    write: writeParityTo(folder),
    report: ({ method, check, ok, max_abs_diff }) => {
      if (ok === true) right++
      else wrong.push(`${method} ${check}: ${max_abs_diff ?? ok}`)
    },
  })
  await runtime.dispose()
  if (wrong.length > 0 || right === 0) throw new Error(`Backend ${backend} is not as PyTorch: ${wrong.join(", ")}`)
  say(`${backend}: ${right} checks as PyTorch and PEFT, ${runtime.detail}`)
}

async function serves(folder: string, say: (line: string) => void): Promise<void> {
  const engine = await openEngineWorker({ base: join(root, "models", "sprig"), backend: "auto" })
  const service = createService({ engine, adapterRoot: { path: folder, realPath: realpath } })
  const app = createApp(service)
  const server = await serveHttp((request) => app.fetch(request), { port: 0, authenticated: false })
  try {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: engine.info.base,
        messages: [{ role: "user", content: "What colour is snow?" }],
        max_tokens: 8,
        temperature: 0,
      }),
    })
    const body = (await response.json()) as { choices?: { message?: { content?: unknown } }[] }
    const content = body.choices?.[0]?.message?.content
    if (response.status !== 200 || typeof content !== "string") {
      throw new Error(`Expected an answer but found ${response.status} ${JSON.stringify(body)}`)
    }
    say(`http: an answer from ${engine.info.base} on ${engine.info.backend}`)
  } finally {
    await server.close(1000)
    await service.close()
  }
}
