/**
 * @module The repository as house tests see it: its files, and which of them import which.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, posix, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository's folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A file's text, by its path from the repository's folder. */
export const textOf = (path: string): string => readFileSync(join(root, path), "utf8")

/** Files below folders, by paths from the repository's folder with `/`, sorted. */
export function filesIn(folders: readonly string[], ending: RegExp): string[] {
  return folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort()
}

/** The folders that hold code which is shipped. */
export const codeFolders = ["src", "adapters", "routes", "scripts"] as const

/** The files of the code that is shipped. */
export const codeFiles = (): string[] => filesIn(codeFolders, /\.ts$/).filter((path) => !path.endsWith(".d.ts"))

/** One import. */
export interface Import {
  /** What is written: `../core/errors.ts`, `node:fs`, `hono`. */
  readonly specifier: string
  /** The path from the repository's folder; null for a package. */
  readonly target: string | null
  /** Only types are imported, so that nothing is left of it at run time. */
  readonly typeOnly: boolean
  /** `import(...)`, loaded when it is called. */
  readonly dynamic: boolean
}

/** Comments, so that an import in an example counts for nothing. */
const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm

/** The imports and re-exports of a module's text. */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = []
  const code = text.replace(comments, "")
  const add = (specifier: string, typeOnly: boolean, dynamic: boolean): void => {
    const target = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : null
    found.push({ specifier, target, typeOnly, dynamic })
  }
  for (const match of code.matchAll(/^(?:import|export)\s+(?:([^"';]*?)\s+from\s+)?"([^"]+)"/gm)) {
    add(match[2]!, isTypeOnly(match[1] ?? ""), false)
  }
  for (const match of code.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)) add(match[1]!, false, true)
  return found
}

/** Whether what stands between `import` and `from` names types only. */
function isTypeOnly(clause: string): boolean {
  if (/^type\b/.test(clause)) return true
  const named = /^\{([\s\S]*)\}$/.exec(clause)?.[1]
  if (named === undefined) return false
  return named
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .every((name) => name.startsWith("type "))
}
