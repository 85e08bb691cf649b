/**
 * @module `bun run build:worker`: what wrangler deploys, in dist/worker: the script, in parts of which those that few need are
 * loaded when they are, the engine's WebAssembly beside it, and the embedded base among the assets. Says how large it is.
 * `--whole-engine` leaves the WebAssembly as it is published: see `engine/slim.ts`.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { LISTING } from "../src/store/web-folder.ts"
import { slimEngine } from "./engine/slim.ts"
import { engineFolder, stockEngine } from "./engine/stock-engine.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
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

/** Settings of a build. */
export interface WorkerBuild {
  /** Leave the engine's WebAssembly as it is published. @default {false} what no graph of ours calls is left out */
  readonly wholeEngine?: boolean
}

/**
 * Bundles a worker's script, `worker.js` and what it loads, and lays the engine's WebAssembly beside it as `engine.wasm`.
 * @param contents TypeScript of the module that workerd starts, with imports from the repository's root
 */
export async function bundleWorker(
  contents: string,
  out: string,
  { wholeEngine = false }: WorkerBuild = {},
): Promise<void> {
  await mkdir(out, { recursive: true })
  await build({
    stdin: { contents, resolveDir: root, sourcefile: "worker-entry.ts", loader: "ts" },
    outdir: out,
    entryNames: "worker",
    chunkNames: "[name]-[hash]",
    bundle: true,
    // A module is compiled when it is first imported: readers of PDF and HTML are two thirds of the script.
    splitting: true,
    minify: true,
    keepNames: false,
    format: "esm",
    target: "es2023",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser", "import"],
    // Only the plain WebAssembly build: there is no WebGPU on a worker.
    alias: { "onnxruntime-web": join(engineFolder, "ort.wasm.bundle.min.mjs") },
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
  const stock = stockEngine()
  await writeFile(join(out, "engine.wasm"), wholeEngine ? stock : slimEngine(stock))
}

/** Builds the worker into a folder, which is made anew. */
export async function buildWorker(out: string, options: WorkerBuild = {}): Promise<WorkerSizes> {
  await rm(out, { recursive: true, force: true })
  await bundleWorker(entry, out, options)
  await layBase(join(out, "assets", "sprig"))
  const sizes = { script: 0, scriptGzip: 0, wasm: 0, wasmGzip: 0 }
  for (const file of await readdir(out)) {
    const kind = file.endsWith(".js") ? "script" : file.endsWith(".wasm") ? "wasm" : null
    if (kind === null) continue
    const bytes = await readFile(join(out, file))
    sizes[kind] += bytes.length
    sizes[`${kind}Gzip`] += gzipSync(bytes, { level: 9 }).length
  }
  return sizes
}

/** Lays what is served of the embedded base into a folder, with the list of its files that HTTP doesn't give. */
export async function layBase(folder: string): Promise<void> {
  for (const file of baseFiles) await cp(join(root, "models", "sprig", file), join(folder, file))
  await writeFile(join(folder, LISTING), JSON.stringify(baseFiles))
}

if (import.meta.main) {
  const sizes = await buildWorker(join(root, "dist", "worker"), {
    wholeEngine: process.argv.includes("--whole-engine"),
  })
  const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`
  console.log(`dist/worker: script ${mb(sizes.script)} (${mb(sizes.scriptGzip)} gzip), WebAssembly ${mb(sizes.wasm)}`)
  console.log(
    `(${mb(sizes.wasmGzip)} gzip), together ${((sizes.scriptGzip + sizes.wasmGzip) / 1e6).toFixed(2)} MB gzip of 10 MB on the paid plan, 3 MB on the free one`,
  )
}
