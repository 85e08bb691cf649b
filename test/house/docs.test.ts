/**
 * @module The documents say what is true of the code: commands, options, methods, links and examples.
 */
import { describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { withHelp } from "../../scripts/write-docs.ts"
import { parseOptions } from "../../src/cli/command.ts"
import { commands } from "../../src/cli/main.ts"
import { architectures } from "../../src/models/mod.ts"
import { filesIn, root, textOf } from "../support/source-tree.ts"

const documents = ["README.md", "CHANGELOG.md", "adapters/README.md", ...filesIn(["docs"], /\.md$/)]

/** The fenced blocks of a language. */
function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map((match) => match[1]!)
}

const shellBlocks = documents.flatMap((path) => blocksOf(textOf(path), "sh").map((block) => ({ path, block })))

/** The words of a simple command line, by the shell's quotes; what follows a pipe, a redirection or && is left out. */
function wordsOf(line: string): string[] {
  const words = line.split(/\s(?:#|\||>|&&)\s/)[0]!.match(/"[^"]*"|'[^']*'|\$\([^)]*\)|\S+/g) ?? []
  return words.map((word) => word.replace(/^(["'])(.*)\1$/, "$2"))
}

/** The command and the arguments of a line that starts `espalier` in one way or another, or null. */
function espalierCall(
  line: string,
  scripts: Readonly<Record<string, string>>,
): { name: string; args: string[] } | null {
  const [first, second, third, ...rest] = wordsOf(line)
  if (first === "espalier") return second === undefined ? null : { name: second, args: third ? [third, ...rest] : [] }
  if ((first !== "npm" && first !== "bun") || second !== "run" || third === undefined) return null
  const args = rest[0] === "--" ? rest.slice(1) : rest
  const script = scripts[third] ?? ""
  if (script.endsWith("src/cli/main.ts")) return { name: args[0]!, args: args.slice(1) }
  if (third in commands) return { name: third, args }
  return null
}

const scripts = (JSON.parse(textOf("package.json")) as { scripts: Record<string, string> }).scripts
const lines = shellBlocks.flatMap(({ path, block }) => block.split("\n").map((line) => ({ path, line })))
const helpExamples = async (): Promise<{ path: string; line: string }[]> => {
  const loaded = await Promise.all(Object.values(commands).map(({ load }) => load()))
  return loaded.flatMap(({ name, examples }) => examples.map((line) => ({ path: `${name} --help`, line })))
}

describe("documents", () => {
  test("docs/cli.md shows every command's help as it is (bun run scripts/write-docs.ts writes it)", async () => {
    const text = textOf("docs/cli.md")
    for (const name of Object.keys(commands)) expect(text).toContain(`<!-- help ${name} -->`)
    expect(text).toBe(await withHelp(text))
  })

  test("every method stands in docs/methods.md with each of its settings, and nothing else does", () => {
    const part = textOf("docs/methods.md").split("## Architectures")[0]!
    const sections = part.split(/^### /m).slice(1)
    expect(sections.map((section) => section.split("\n")[0])).toEqual(methods.map(({ name }) => name))
    for (const [i, { name, config }] of methods.entries()) {
      const documented = [...sections[i]!.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]!)
      const settings = Object.keys((config as unknown as { entries: object }).entries)
      expect([name, ...documented]).toEqual([name, ...settings])
    }
  })

  test("every architecture stands in docs/methods.md", () => {
    const text = textOf("docs/methods.md")
    expect(architectures.map(({ modelType }) => modelType).filter((name) => !text.includes(`| \`${name}\` |`))).toEqual(
      [],
    )
  })

  test("shell blocks are well-formed", () => {
    expect(shellBlocks.length).toBeGreaterThan(0)
    const broken = shellBlocks.flatMap(({ path, block }) => {
      const { status, stderr } = spawnSync("sh", ["-n"], { input: block, encoding: "utf8" })
      return status === 0 ? [] : [`${path}: ${stderr}`]
    })
    expect(broken).toEqual([])
  })

  test("commands in shell blocks and in help are ones that the program takes", async () => {
    const calls = [...lines, ...(await helpExamples())].flatMap(({ path, line }) => {
      const call = espalierCall(line.replace(/^echo .* \| /, ""), scripts)
      return call ? [{ path, line, ...call }] : []
    })
    expect(calls.length).toBeGreaterThan(10)
    for (const { path, line, name, args } of calls) {
      const command = commands[name]
      if (!command) throw new Error(`${path}: there is no command "${name}" in: ${line}`)
      const loaded = await command.load()
      try {
        parseOptions(loaded, args)
      } catch (error) {
        throw new Error(`${path}: ${line}: ${(error as Error).message}`)
      }
    }
  })

  test("scripts that the documents run are scripts of the package", () => {
    const named = documents.flatMap((path) => [
      ...textOf(path).matchAll(/\b(?:npm|bun) run ([\w-]+(?::[\w-]+)?)(?![\w./])/g),
    ])
    const unknown = named.map((match) => match[1]!).filter((name) => !(name in scripts) && name !== "scripts")
    expect(unknown).toEqual([])
  })

  test("links between files lead somewhere", () => {
    const dead = documents.flatMap((path) =>
      [...textOf(path).matchAll(/\]\(([^)\s]+)\)/g)]
        .map((match) => match[1]!)
        .filter((link) => !/^https?:/.test(link))
        .filter((link) => !isThere(path, link))
        .map((link) => `${path}: ${link}`),
    )
    expect(dead).toEqual([])
  })

  test("the client in README.md is examples/openai-client.ts", () => {
    expect(blocksOf(textOf("README.md"), "ts")).toEqual([textOf("examples/openai-client.ts")])
  })
})

/** Whether a link's file is there, and its heading in it. */
function isThere(from: string, link: string): boolean {
  const [file, heading] = link.split("#") as [string, string?]
  const target = file === "" ? from : join(dirname(from), file)
  if (!existsSync(join(root, target))) return false
  if (heading === undefined) return true
  const slugs = [...textOf(target).matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  )
  return slugs.includes(heading)
}
