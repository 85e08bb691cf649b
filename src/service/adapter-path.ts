/**
 * @module Which folders a request may name: those below one configured root, and nothing that climbs out of it.
 */
import { EspalierError } from "../core/errors.ts"

/** The folder that adapters may be loaded from. */
export interface AdapterRoot {
  /** Absolute. */
  readonly path: string
  /** Resolves symbolic links, so that none leads out of the root. Without it links are trusted. */
  readonly realPath?: (path: string) => Promise<string>
}

/**
 * The absolute path that `given` stands for.
 * @param given relative to the root, or absolute and inside it
 * @throws {EspalierError} `invalid_request` if it leads outside, `not_found` if nothing is there
 */
export async function confine(root: AdapterRoot, given: string): Promise<string> {
  const inside = relativeTo(root.path, given)
  if (inside === null || inside === "") throw outside()
  const path = `${withoutEnd(root.path)}/${inside}`
  if (root.realPath === undefined) return path
  let real: string
  try {
    real = await root.realPath(path)
  } catch (cause) {
    throw new EspalierError("not_found", `There is no adapter folder "${inside}"`, { param: "path", cause })
  }
  if (!relativeTo(await realRoot(root), real)) throw outside()
  return real
}

/** Where the root lies once its symbolic links are resolved. */
export async function realRoot(root: AdapterRoot): Promise<string> {
  return withoutEnd((await root.realPath?.(root.path)) ?? root.path)
}

const withoutEnd = (path: string): string => path.replace(/[\\/]+$/, "")

/** What of `path` lies below `root`, or `null` if it lies elsewhere. Looks at the text only. */
export function relativeTo(root: string, path: string): string | null {
  const parts = partsOf(path)
  if (path.includes("\0") || parts.includes("..")) return null
  if (!isAbsolute(path)) return parts.join("/")
  const rootParts = partsOf(root)
  return rootParts.every((part, i) => part === parts[i]) ? parts.slice(rootParts.length).join("/") : null
}

const isAbsolute = (path: string): boolean => /^([\\/]|[A-Za-z]:|s3:|file:)/.test(path)

const partsOf = (path: string): string[] => path.split(/[\\/]+/).filter((part) => part !== "" && part !== ".")

function outside(): EspalierError {
  return new EspalierError("invalid_request", "Expected the path of a folder inside the server's adapters folder", {
    hint: "Give a path relative to that folder, without ..",
    param: "path",
  })
}
