/**
 * @module `npm run build:browser`: the example page in dist/browser, ready for any server of static files: the page, its Worker, the
 * engines' WebAssembly and the embedded base. The library alone is `espalier.js` there.
 */
import { copyFile, mkdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { layBase } from "./build-worker.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const engine = join(root, "node_modules", "onnxruntime-web", "dist")
/** What onnxruntime-web's two builds fetch: the plain one, and the one for WebGPU. */
export const engines = ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"]

/** What stands in for Node's modules and native engine. */
const shims: Readonly<Record<string, string>> = {
  "node:crypto": "node-crypto.ts",
  "node:fs/promises": "node-fs.ts",
  "node:os": "node-os.ts",
  "node:path": "node-path.ts",
  "node:process": "node-process.ts",
  "onnxruntime-node": "onnxruntime-node.ts",
}

/** A script to bundle. */
interface Script {
  /** From the repository's root. */
  readonly entry: string
  readonly outfile: string
  /** Left to whoever bundles what comes out. @default none */
  readonly external?: readonly string[]
}

/** Bundles a script for pages. */
export async function bundleForBrowser({ entry, outfile, external = [] }: Script): Promise<void> {
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    platform: "browser",
    conditions: ["browser", "import"],
    alias: {
      ...Object.fromEntries(
        Object.entries(shims).map(([name, file]) => [name, join(root, "scripts", "browser", file)]),
      ),
      ...(!external.includes("onnxruntime-web") && {
        "onnxruntime-web/webgpu": join(engine, "ort.webgpu.bundle.min.mjs"),
        "onnxruntime-web": join(engine, "ort.wasm.bundle.min.mjs"),
      }),
    },
    external: [...external],
    logLevel: "warning",
  })
}

/** Builds the page into a folder, which is made anew. */
export async function buildBrowser(out: string): Promise<void> {
  await rm(out, { recursive: true, force: true })
  await mkdir(join(out, "engine"), { recursive: true })
  await bundleForBrowser({ entry: "src/entry/browser.ts", outfile: join(out, "espalier.js") })
  for (const script of ["page", "worker"])
    await bundleForBrowser({ entry: `examples/browser/${script}.ts`, outfile: join(out, `${script}.js`) })
  for (const file of ["index.html", "style.css"])
    await copyFile(join(root, "examples", "browser", file), join(out, file))
  for (const file of engines) await copyFile(join(engine, file), join(out, "engine", file))
  await layBase(join(out, "models", "sprig"))
}

if (import.meta.main) {
  const out = join(root, "dist", "browser")
  await buildBrowser(out)
  const size = async (file: string): Promise<string> => {
    const bytes = await readFile(join(out, file))
    return `${file} ${(bytes.length / 1e6).toFixed(1)} MB (${(gzipSync(bytes).length / 1e6).toFixed(1)} MB gzip)`
  }
  console.log(`dist/browser: ${await size("worker.js")}, ${await size(join("engine", engines[0]!))},`)
  console.log(`${await size(join("engine", engines[1]!))}, fetched for WebGPU alone`)
  console.log("Serve it with any server of static files: npx http-server dist/browser, or bun run serve:browser")
}
