/**
 * @module The npm package as somebody installs it: packed, unpacked into an empty project, and used there by Bun, Node and
 * Deno, by programs and by the command line.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { buildPackage } from "../../../scripts/build-package.ts"
import { root } from "../../support/source-tree.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "espalier-package-")))
const built = join(folder, "built")
const project = join(folder, "project")
const installed = join(project, "node_modules", "espalier")
const bin = join(root, "node_modules", ".bin")
let tarball: string

function run(command: string, args: readonly string[], cwd: string = project) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 100_000,
    env: { ...process.env, NO_COLOR: "1" },
  })
  return { status, stdout, stderr }
}

/** What must work, and its output. */
function ran(command: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr } = run(command, args, cwd)
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`)
  return stdout
}

beforeAll(async () => {
  await buildPackage(built)
  tarball = join(folder, ran("npm", ["pack", "--silent", "--pack-destination", folder], built).trim())
  mkdirSync(installed, { recursive: true })
  ran("tar", ["-xzf", tarball, "-C", installed, "--strip-components", "1"])
  // What npm would fetch beside it.
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    readonly dependencies: Record<string, string>
  }
  for (const name of Object.keys(dependencies)) {
    const link = join(project, "node_modules", name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(join(root, "node_modules", name)), link)
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", type: "module", private: true }))
  writeFileSync(join(project, "deno.json"), JSON.stringify({ nodeModulesDir: "manual", lock: false }))
  writeFileSync(join(project, "program.js"), program)
  writeFileSync(join(project, "rows.jsonl"), rows)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }), 60_000)

const program = `import process from "node:process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { createService, openEngineWorker } from "espalier"
import { createClient } from "espalier/client"

const base = dirname(fileURLToPath(import.meta.resolve("espalier/models/sprig/config.json")))
const engine = await openEngineWorker({ base, backend: process.argv[2], threads: 1 })
const service = createService({ engine })
const { whole } = await service.chat({
  model: "sprig",
  messages: [{ role: "user", content: "Copy this: Mira bought 3 apples in Talon." }],
  max_tokens: 12,
  temperature: 0,
})
console.log(JSON.stringify([typeof createClient, whole.choices[0].message.content]))
await service.close()
process.exit(0)
`

const rows = Array.from(
  { length: 12 },
  (_, i) => `${JSON.stringify({ prompt: `Mira bought ${i} apples.`, completion: `apples: ${i}` })}\n`,
).join("")

const runtimes: readonly (readonly [string, string, readonly string[]])[] = [
  ["Bun", process.execPath, []],
  ["Node", "node", []],
  ["Deno", join(bin, "deno"), ["run", "--quiet", "--no-prompt", "--allow-all"]],
]

describe("the package", () => {
  test("holds JavaScript with types, the base and the documents, and nothing of the workshop", () => {
    const paths = readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1))
    const roots = new Set(paths.map((path) => path.split("/")[0]!))
    expect([...roots].sort()).toEqual(
      [
        ...["CHANGELOG.md", "LICENSE", "README.md", "adapters", "bin", "browser", "docs"],
        ...["examples", "models", "package.json", "routes", "src"],
      ].sort(),
    )
    expect(paths.filter((path) => /(?<!\.d)\.ts$/.test(path))).toEqual([])
    expect(paths.filter((path) => path.endsWith(".js")).length).toBeGreaterThan(200)
    expect(paths).toContain("models/sprig/model.safetensors")
    expect(paths).toContain("src/index.d.ts")
  })

  test("has a script for pages that asks nothing of Node", () => {
    const script = readFileSync(join(installed, "browser", "espalier.js"), "utf8")
    const imports = [...script.matchAll(/\b(?:from|import)\s*\(?"([\w@][\w@/.:-]*)"/g)].map((match) => match[1]!)
    expect(new Set(imports)).toEqual(new Set(["onnxruntime-web", "onnxruntime-web/webgpu"]))
  })

  test("is what publint and attw expect of a package", () => {
    ran(join(bin, "publint"), ["run", tarball, "--strict"])
    ran(join(bin, "attw"), [tarball, "--profile", "esm-only", "--format", "ascii", "--no-color"])
  }, 120_000)

  test("has types that a strict program checks against", () => {
    const source = `import { type EngineSettings, openEngine, isEspalierError } from "espalier"
import { openInBrowser, type TrainedCard } from "espalier/browser"
import { createClient } from "espalier/client"
export const page = async (): Promise<TrainedCard> =>
  (await openInBrowser({ base: "/models/sprig/" })).train({ name: "mine", examples: [{ prompt: "a", completion: "b" }] })
export const settings: EngineSettings = { base: "x", backend: "auto" }
export const engine = await openEngine(settings)
export const name: string = engine.info.base
export const make: typeof createClient = createClient
// @ts-expect-error the name is text
export const wrong: number = engine.info.base
export const known: boolean = isEspalierError(new Error("x"))
`
    writeFileSync(join(project, "typed.ts"), source)
    const flags = ["--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2023", "--types", ""]
    ran(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "--noEmit", ...flags, "typed.ts"])
  }, 60_000)

  test("answers the same on Bun, Node and Deno, native and by WebAssembly, from a Worker", () => {
    const answers = runtimes.flatMap(([, command, args]) =>
      ["native", "wasm"].map(
        (backend) =>
          ran(command, [...args, "program.js", backend])
            .trim()
            .split("\n")
            .at(-1)!,
      ),
    )
    expect(new Set(answers)).toEqual(new Set([answers[0]!]))
    const [client, text] = JSON.parse(answers[0]!) as [string, string]
    expect(client).toBe("function")
    expect(text).not.toBe("")
  }, 120_000)

  for (const [name, command, args] of runtimes) {
    test(`${name} trains and generates by the command line, without a base at hand`, () => {
      const espalier = join(installed, "bin", "espalier.js")
      const out = join(project, `adapter-${name}`)
      const short = ["--steps", "2", "--threads", "1", "--samples", "0"]
      ran(command, [...args, espalier, "train", "--data", "rows.jsonl", ...short, "--out", out])
      expect(readdirSync(out)).toContain("adapter_model.safetensors")
      const asked = ["--adapter", out, "--max-tokens", "4", "Mira bought 3 apples."]
      expect(ran(command, [...args, espalier, "generate", ...asked]).trim()).not.toBe("")
    }, 120_000)
  }
})
