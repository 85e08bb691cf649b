/**
 * @module What every file and the package itself keep to.
 */
import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { codeFiles, codeFolders, filesIn, root, textOf } from "../support/source-tree.ts"

const sources = (): string[] => [...codeFiles(), ...filesIn(["test"], /\.ts$/)]

const manifest = JSON.parse(textOf("package.json")) as {
  readonly scripts: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
}

interface LockEntry {
  readonly version?: string
  readonly resolved?: string
  readonly optionalDependencies?: Record<string, string>
}
const lock = (JSON.parse(textOf("package-lock.json")) as { packages: Record<string, LockEntry> }).packages

describe("files", () => {
  test("every file of code opens by saying what it is", () => {
    const silent = codeFiles().filter((path) => !/^(#!.*\n)?\/\*\*(\n \*)? @module \S/.test(textOf(path)))
    expect(silent).toEqual([])
  })

  test("nothing is left to be done, disabled or chosen by default export", () => {
    const marker = new RegExp(`\\b(${["TO", "FIX"].map((a, i) => a + ["DO", "ME"][i]).join("|")})\\b`)
    const off = new RegExp(`\\b(test|it|describe)\\.(${["skip", "todo", "only"].join("|")})\\(`)
    const wrong = sources().flatMap((path) => {
      const text = textOf(path)
      return [
        ...(marker.test(text) ? [`${path}: something left to be done`] : []),
        ...(off.test(text) ? [`${path}: a test that does not run`] : []),
        ...(/^export default\b/m.test(text) ? [`${path}: a default export`] : []),
      ]
    })
    expect(wrong).toEqual([])
  })

  test("names are in kebab-case", () => {
    const named = sources().filter(
      (path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.case|\.d)?\.ts$/.test(path.split("/").at(-1)!),
    )
    expect(named).toEqual([])
  })

  test("no file names a path of the machine that it was written on", () => {
    const texts = [
      ...filesIn([...codeFolders, "test", "docs"], /\.(ts|md|json|jsonl|ya?ml)$/),
      ...readdirSync(root).filter((name) => /\.(md|json|toml)$/.test(name)),
    ]
    const pattern = new RegExp(`(^|[\\s"'\`(=:])/(${["work", "root"].join("|")})/`, "m")
    expect(texts.filter((path) => pattern.test(textOf(path)))).toEqual([])
  })

  test("every test file holds a test", () => {
    const empty = filesIn(["test"], /\.test\.ts$/).filter(
      (path) => !/\b(test|it)(\.\w+\([^)]*\))*\(/.test(textOf(path)),
    )
    expect(empty).toEqual([])
  })
})

describe("package", () => {
  test("every package is pinned to one version", () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    )
    expect(loose).toEqual([])
  })

  test("has the commands that the documents speak of, each of a file that is there", () => {
    const names = ["train", "serve", "chat", "generate", "espalier", "parity", "bench", "test", "typecheck", "lint"]
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(names))
    const files = Object.values(manifest.scripts).flatMap((script) => /^bun run (\S+\.ts)/.exec(script)?.[1] ?? [])
    expect(files.filter((path) => textOf(path) === "")).toEqual([])
  })

  test("what it exports and the command it installs are there", () => {
    const { exports, bin } = JSON.parse(textOf("package.json")) as Record<"exports" | "bin", Record<string, string>>
    const missing = [...Object.values(exports), ...Object.values(bin)].filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })

  test("JSR gets the same version, and imports the same packages", () => {
    const { version, dependencies, peerDependencies } = JSON.parse(textOf("package.json")) as Record<string, unknown>
    const jsr = JSON.parse(textOf("jsr.json")) as { readonly version: string; readonly imports: Record<string, string> }
    const wanted = { ...(dependencies as object), ...(peerDependencies as object) }
    expect(jsr.version).toBe(version as string)
    expect(jsr.imports).toEqual(
      Object.fromEntries(Object.entries(wanted).map(([name, range]) => [name, `npm:${name}@${range}`])),
    )
  })

  test("what is installed holds all that an installed command reads: code, base, suite, example", () => {
    const { files } = JSON.parse(textOf("package.json")) as { readonly files: readonly string[] }
    const code = codeFiles().filter((path) => !path.startsWith("scripts/"))
    const data = ["models/sprig/suite.jsonl", "models/sprig/model.safetensors", "examples/data/answer-card.train.jsonl"]
    const left = [...code, ...data].filter((path) => !files.some((each) => path.startsWith(`${each}/`)))
    expect(left).toEqual([])
  })

  test("no command is taken for another's hook: npm runs prex before x and postx after it", () => {
    const names = Object.keys(manifest.scripts)
    expect(names.filter((name) => names.some((other) => name === `pre${other}` || name === `post${other}`))).toEqual([])
  })

  test("installs without downloads: onnxruntime-node's script is told to fetch nothing", () => {
    expect(textOf(".npmrc").split("\n")).toContain("onnxruntime-node-install=skip")
  })

  test("the lock file names no host and no package that npm ci would miss", () => {
    const hosts = Object.entries(lock).filter(([, { resolved }]) => resolved !== undefined)
    expect(hosts.map(([path]) => path)).toEqual([])
    const missing = Object.entries(lock).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in lock) && !(`${path}/node_modules/${name}` in lock),
      ),
    )
    expect(missing).toEqual([])
  })

  test("the lock file has the versions of the package", () => {
    const wanted = { ...manifest.dependencies, ...manifest.devDependencies }
    expect(Object.keys(wanted).map((name) => [name, lock[`node_modules/${name}`]?.version])).toEqual(
      Object.entries(wanted),
    )
  })
})
