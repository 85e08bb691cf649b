/**
 * @module `npm run build:exe`: one file, dist/espalier, with Bun, all code, the native and the WebAssembly engine and the
 * embedded base in it. It trains and serves on a machine that has none of them; see docs/deploy/executable.md.
 */
import { createHash } from "node:crypto"
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { type Zippable, zipSync } from "fflate"

const root = fileURLToPath(new URL("..", import.meta.url))

/** Loaded from files beside the code: they load files of their own. */
const engines = ["onnxruntime-common", "onnxruntime-node", "onnxruntime-web"]
/** Optional peers, which nobody can install beside an executable. */
const absent = ["@huggingface/transformers", "@xenova/transformers"]
/** Modules that start a program or a thread. */
const entries = ["src/cli/main.ts", ...["engine", "reading", "training"].map((name) => `src/entry/${name}-worker.ts`)]

/** Builds the executable for this machine's system. @param out its path */
export async function buildExecutable(out: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "espalier-exe-"))
  try {
    await bundle(join(work, "home"))
    await copyData(join(work, "home"))
    const zip = zipSync(await filesBelow(join(work, "home")), { level: 6 })
    await writeFile(join(work, "payload.zip"), zip)
    const id = createHash("sha256").update(zip).digest("hex").slice(0, 16)
    await writeFile(join(work, "start.ts"), startOf(id))
    await mkdir(dirname(out), { recursive: true })
    const built = await Bun.build({
      entrypoints: [join(work, "start.ts")],
      target: "bun",
      compile: { outfile: out, autoloadPackageJson: true },
      minify: true,
    })
    if (!built.success) throw new AggregateError(built.logs, "The executable could not be built")
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The executable's own module. */
const startOf = (id: string): string =>
  [
    'import { join } from "node:path"',
    'import payload from "./payload.zip" with { type: "file" }',
    `import { unpack } from ${JSON.stringify(join(root, "scripts", "executable", "unpack.ts"))}`,
    `const { main } = await import(join(await unpack(payload, "${id}"), "code", "main.js"))`,
    "process.exitCode = await main(process.argv.slice(2))",
  ].join("\n")

/**
 * All code in few files below `code`. A module that asks where it lies is told where it would lie in the repository, so
 * that it finds data and Workers as it does there.
 */
async function bundle(home: string): Promise<void> {
  const built = await Bun.build({
    entrypoints: entries.map((path) => join(root, path)),
    outdir: join(home, "code"),
    naming: { entry: "[name].[ext]", chunk: "[name]-[hash].[ext]" },
    target: "bun",
    splitting: true,
    minify: true,
    external: [...engines, ...absent],
    plugins: [
      {
        name: "places",
        setup(builder) {
          builder.onLoad({ filter: /\/(src|adapters|routes)\/.*\.ts$/ }, async ({ path }) => {
            const text = await readFile(path, "utf8")
            const place = relative(root, path).split(sep).join("/")
            const contents = text.replaceAll("import.meta.url", `new URL("../${place}", import.meta.url).href`)
            return { contents, loader: "ts" }
          })
        },
      },
    ],
  })
  if (!built.success) throw new AggregateError(built.logs, "The code could not be bundled")
  for (const path of entries.slice(1)) {
    const file = join(home, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `import "../../code/${path.split("/").at(-1)!.replace(/\.ts$/, ".js")}"\n`)
  }
}

async function copyData(home: string): Promise<void> {
  const modules = join(root, "node_modules")
  const copy = (path: string, from: string, to: string): Promise<void> =>
    cp(join(from, path), join(to, path), { recursive: true, dereference: true })
  for (const path of ["models/sprig", "examples/data", "LICENSE"]) await copy(path, root, home)
  const own = join("bin", "napi-v6", process.platform, process.arch)
  const wanted: Readonly<Record<string, readonly string[]>> = {
    "onnxruntime-common": ["package.json", "dist/cjs", "dist/esm"],
    "onnxruntime-node": ["package.json", "LICENSE", "dist", own],
    "onnxruntime-web": [
      "package.json",
      ...["ort.node.min.mjs", "ort.node.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"].map(
        (file) => `dist/${file}`,
      ),
    ],
  }
  for (const [name, paths] of Object.entries(wanted)) {
    for (const path of paths) {
      const from = join(modules, name)
      if (await isThere(join(from, path))) await copy(path, from, join(home, "node_modules", name))
      else if (path !== "LICENSE") throw new Error(`${name} has no ${path}, which the executable needs`)
    }
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** What a folder holds, for a zip file; without maps and types, which nothing reads here. */
async function filesBelow(folder: string): Promise<Zippable> {
  const files: Zippable = {}
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1))) {
    if (!entry.isFile() || /\.(map|d\.ts)$/.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    // Without times, the same content is the same archive.
    files[relative(folder, path).split(sep).join("/")] = [new Uint8Array(await readFile(path)), { mtime: "1980-01-01" }]
  }
  return files
}

if (import.meta.main) {
  const out = join(root, "dist", process.platform === "win32" ? "espalier.exe" : "espalier")
  await buildExecutable(out)
  console.log(`${relative(process.cwd(), out)}: ${((await stat(out)).size / 2 ** 20).toFixed(0)} MiB`)
}
