/**
 * @module Where files go that can be made again.
 */
import { homedir } from "node:os"
import { join } from "node:path"

/** ESPALIER_CACHE, or the platform's cache folder. */
export function cacheFolder(
  env: Readonly<Record<string, string | undefined>>,
  platform: string = process.platform,
): string {
  if (env["ESPALIER_CACHE"]) return env["ESPALIER_CACHE"]
  if (platform === "win32" && env["LOCALAPPDATA"]) return join(env["LOCALAPPDATA"], "espalier", "cache")
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "espalier")
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "espalier")
}
