/**
 * @module The program of killed-writer.ts with modules in the place of `node:fs` that count what is written: each call that
 * changes something, and each write of bytes a second time in its middle. The n-th of them is the process's last.
 */
import { join } from "node:path"
import { build } from "esbuild"

/** Before anything else: the counter that both modules share. */
const counter = `{
const last = Number(process.argv[3])
let count = 0
globalThis.io = {
  wrote() { if (++count === last) process.kill(process.pid, "SIGKILL") },
  writes: () => count,
}
}`

const promises = `
const real = process.getBuiltinModule("node:fs/promises")
const { wrote } = globalThis.io
const halves = (bytes) => {
  const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const middle = all.length >> 1
  return [all.subarray(0, middle), all.subarray(middle)]
}
const handleOf = (handle) =>
  new Proxy(handle, {
    get(target, name) {
      const value = target[name]
      if (typeof value !== "function") return value
      if (name === "writeFile")
        return async (bytes) => {
          for (const half of halves(bytes)) {
            await target.write(half)
            wrote()
          }
        }
      const changes = name === "write" || name === "sync" || name === "truncate"
      return async (...args) => {
        const result = await value.apply(target, args)
        if (changes) wrote()
        return result
      }
    },
  })
const changing = new Set(["rename", "rm", "mkdir", "unlink", "link", "appendFile", "truncate", "copyFile"])
const of = (name) => async (...args) => {
  if (name === "open") {
    const handle = handleOf(await real.open(...args))
    if (/[wa+]/.test(String(args[1] ?? "r"))) wrote()
    return handle
  }
  if (name === "writeFile") {
    const handle = await of("open")(args[0], args[2]?.flag ?? "w")
    try { return await handle.writeFile(args[1]) } finally { await handle.close() }
  }
  const result = await real[name](...args)
  if (changing.has(name)) wrote()
  return result
}
`
const sync = `
const real = process.getBuiltinModule("node:fs")
const { wrote } = globalThis.io
const changing = new Set(["openSync", "writeSync", "writeFileSync", "appendFileSync", "mkdirSync", "renameSync", "rmSync", "unlinkSync", "fsyncSync"])
const of = (name) => (...args) => {
  const result = real[name](...args)
  if (changing.has(name)) wrote()
  return result
}
`

/** Bundles it into a folder. @returns the program's path */
export async function bundleKilledWriter(folder: string): Promise<string> {
  const path = join(folder, "killed-writer.mjs")
  await build({
    entryPoints: [join(import.meta.dir, "killed-writer.ts")],
    ...{ bundle: true, format: "esm", platform: "node", outfile: path, logLevel: "error" },
    banner: { js: counter },
    // Native code, and what the program doesn't come to.
    external: ["bun:sqlite", "onnxruntime-node", "onnxruntime-web", "onnxruntime-web/*", "@huggingface/*", "bun"],
    plugins: [
      {
        name: "count-writes",
        setup(bundle) {
          bundle.onResolve({ filter: /^node:fs(\/promises)?$/ }, ({ path }) => ({ path, namespace: "counted" }))
          bundle.onLoad({ filter: /.*/, namespace: "counted" }, async ({ path }) => {
            const names = Object.keys((await import(path)) as object).filter((name) => name !== "default")
            const real = await import(path)
            const exported = names.map((name) =>
              typeof real[name] === "function" && !/^[A-Z]/.test(name)
                ? `export const ${name} = of(${JSON.stringify(name)})`
                : `export const ${name} = real[${JSON.stringify(name)}]`,
            )
            return { contents: [path === "node:fs" ? sync : promises, ...exported].join("\n"), loader: "js" }
          })
        },
      },
    ],
  })
  return path
}
