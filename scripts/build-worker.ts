/**
 * @module `bun run build:worker`: what wrangler deploys, in dist/worker: the script, the engine's WebAssembly beside it, and
 * the embedded base among the assets. Says how large it is.
 */
import { copyFile, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { LISTING } from "../src/store/web-folder.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const engine = join(root, "node_modules", "onnxruntime-web", "dist")
/** What of the base is served; the rest of its folder is for people and for scoring. */
const baseFiles = [
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "retrieval.json",
  "tokenizer.json",
  "tokenizer_config.json",
]

/** The module that workerd starts: it wants a default export, and the engine's class by name. */
const entry = `import { EspalierEngine, handleRequest } from "./src/entry/worker.ts"
const worker = { fetch: handleRequest }
export { EspalierEngine, worker as default }
`

/** Sizes in bytes: what counts against the platform's limit is the sum of the compressed ones. */
export interface WorkerSizes {
  readonly script: number
  readonly scriptGzip: number
  readonly wasm: number
  readonly wasmGzip: number
}

/**
 * Bundles a worker's script, and lays the engine's WebAssembly beside it as `engine.wasm`.
 * @param contents TypeScript of the module that workerd starts, with imports from the repository's root
 */
export async function bundleWorker(contents: string, out: string): Promise<void> {
  await mkdir(out, { recursive: true })
  await build({
    stdin: { contents, resolveDir: root, sourcefile: "worker-entry.ts", loader: "ts" },
    outfile: join(out, "worker.js"),
    bundle: true,
    minify: true,
    keepNames: false,
    format: "esm",
    target: "es2023",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser", "import"],
    // Only the plain WebAssembly build: there is no WebGPU on a worker.
    alias: { "onnxruntime-web": join(engine, "ort.wasm.bundle.min.mjs") },
    external: ["node:*"],
    plugins: [
      {
        name: "engine",
        setup(plugins) {
          plugins.onResolve({ filter: /\.wasm$/ }, () => ({ path: "./engine.wasm", external: true }))
        },
      },
    ],
    logLevel: "warning",
  })
  await copyFile(join(engine, "ort-wasm-simd-threaded.wasm"), join(out, "engine.wasm"))
}

/** Builds the worker into a folder, which is made anew. */
export async function buildWorker(out: string): Promise<WorkerSizes> {
  await rm(out, { recursive: true, force: true })
  await bundleWorker(entry, out)
  await layBase(join(out, "assets", "sprig"))
  const script = await readFile(join(out, "worker.js"))
  const wasm = await readFile(join(out, "engine.wasm"))
  return {
    script: script.length,
    scriptGzip: gzipSync(script, { level: 9 }).length,
    wasm: wasm.length,
    wasmGzip: gzipSync(wasm, { level: 9 }).length,
  }
}

/** Lays what is served of the embedded base into a folder, with the list of its files that HTTP doesn't give. */
export async function layBase(folder: string): Promise<void> {
  for (const file of baseFiles) await cp(join(root, "models", "sprig", file), join(folder, file))
  await writeFile(join(folder, LISTING), JSON.stringify(baseFiles))
}

if (import.meta.main) {
  const sizes = await buildWorker(join(root, "dist", "worker"))
  const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`
  console.log(`dist/worker: script ${mb(sizes.script)} (${mb(sizes.scriptGzip)} gzip), WebAssembly ${mb(sizes.wasm)}`)
  console.log(
    `(${mb(sizes.wasmGzip)} gzip), together ${mb(sizes.scriptGzip + sizes.wasmGzip)} gzip of the 10 MiB allowed`,
  )
}
