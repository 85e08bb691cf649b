/**
 * @module `npm run build:package`: what is published to npm, in dist/package: JavaScript with its types, for Node runs no
 * TypeScript below node_modules; the embedded base; the documents. Publish it with `npm publish ./dist/package`.
 */
import { spawnSync } from "node:child_process"
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { bundleForBrowser } from "./build-browser.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
/** Copied as they are. */
const copied = ["models", "examples/data", "docs", "README.md", "CHANGELOG.md", "LICENSE"]
/** Entry points by what they are imported as. */
const entries = { ".": "src/index", "./client": "routes/client", "./worker": "src/entry/worker" }
/** What a page imports: one script, in which what is Node's is replaced; the engine is left to the page's own bundler. */
const pageScript = "browser/espalier.js"

/** What `espalier` starts. */
const command = [
  "#!/usr/bin/env node",
  'import process from "node:process"',
  'import { main } from "../src/cli/main.js"',
  "",
  "process.exitCode = await main(process.argv.slice(2))",
  "",
].join("\n")

/**
 * Builds the package into a folder, which is made anew.
 * @throws {Error} With the compiler's words if it refuses the code, or if a reference to TypeScript is left in what it made.
 */
export async function buildPackage(out: string): Promise<void> {
  await rm(out, { recursive: true, force: true })
  await mkdir(join(out, "bin"), { recursive: true })
  compile(out)
  const external = ["onnxruntime-web", "onnxruntime-web/webgpu"]
  await bundleForBrowser({ entry: "src/entry/browser.ts", outfile: join(out, pageScript), external })
  for (const path of copied) await cp(join(root, path), join(out, path), { recursive: true })
  for (const file of await filesOf(join(root, "src"), /\.d\.ts$/)) {
    const target = join(out, relative(root, file))
    await mkdir(dirname(target), { recursive: true })
    await copyFile(file, target)
  }
  for (const file of await filesOf(out, /\.(js|d\.ts)$/)) await toJavaScript(file)
  await writeFile(join(out, "bin", "espalier.js"), command)
  await chmod(join(out, "bin", "espalier.js"), 0o755)
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Record<string, unknown>
  await writeFile(join(out, "package.json"), `${JSON.stringify(published(manifest), null, 2)}\n`)
}

function compile(out: string): void {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [tsc, "--project", join(root, "tsconfig.build.json"), "--outDir", out],
    { encoding: "utf8" },
  )
  if (status !== 0) throw new Error(`The package could not be compiled:\n${stdout}${stderr}`)
}

/** Paths of the files below a folder whose names match. */
async function filesOf(folder: string, ending: RegExp): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found.filter((file) => file.isFile() && ending.test(file.name)).map((file) => join(file.parentPath, file.name))
}

/** Specifiers and Workers' addresses: the compiler renames the imports of scripts, and nothing else. */
const references = /((?:\bfrom |\bimport\(|^import |\bnew URL\()"\.{1,2}\/[^"\n]*)\.ts"/gm

async function toJavaScript(file: string): Promise<void> {
  const text = await readFile(file, "utf8")
  const renamed = text.replace(references, '$1.js"')
  const left = /new URL\("[^"\n]*\.ts"/.exec(renamed)
  if (left) throw new Error(`${file.split(sep).join("/")} still refers to TypeScript: ${left[0]}`)
  if (renamed !== text) await writeFile(file, renamed)
}

/** package.json as it is published: what only the repository needs is left out. */
function published(manifest: Record<string, unknown>): Record<string, unknown> {
  const { private: _, scripts: __, devDependencies: ___, allowScripts: ____, overrides: _____, ...kept } = manifest
  return {
    ...kept,
    files: ["src", "adapters", "routes", "bin", "browser", ...copied],
    exports: {
      ...Object.fromEntries(
        Object.entries(entries).map(([name, path]) => [name, { types: `./${path}.d.ts`, default: `./${path}.js` }]),
      ),
      "./browser": { types: "./src/entry/browser.d.ts", default: `./${pageScript}` },
      "./models/*": "./models/*",
      "./package.json": "./package.json",
    },
    bin: { espalier: "bin/espalier.js" },
  }
}

if (import.meta.main) {
  const out = join(root, "dist", "package")
  await buildPackage(out)
  console.log("dist/package is ready: npm publish ./dist/package")
}
