import { expect, test } from "bun:test"
import { homedir } from "node:os"
import { join } from "node:path"
import { cacheFolder } from "../../../src/store/cache.ts"

test("cacheFolder() takes ESPALIER_CACHE before everything, then what the platform has", () => {
  const rows: readonly (readonly [Record<string, string>, string, string])[] = [
    [{ ESPALIER_CACHE: "/own", XDG_CACHE_HOME: "/xdg", LOCALAPPDATA: "/local" }, "linux", "/own"],
    [{ ESPALIER_CACHE: "/own", LOCALAPPDATA: "/local" }, "win32", "/own"],
    [{ XDG_CACHE_HOME: "/xdg" }, "linux", join("/xdg", "espalier")],
    [{}, "linux", join(homedir(), ".cache", "espalier")],
    [{ XDG_CACHE_HOME: "" }, "linux", join(homedir(), ".cache", "espalier")],
    [{}, "darwin", join(homedir(), "Library", "Caches", "espalier")],
    [{ LOCALAPPDATA: "/local" }, "win32", join("/local", "espalier", "cache")],
  ]
  for (const [env, platform, expected] of rows) expect(cacheFolder(env, platform)).toBe(expected)
})
