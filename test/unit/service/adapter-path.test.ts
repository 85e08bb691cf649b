/**
 * @module Paths that stay inside the adapters folder, and those that do not, links included.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { confine, relativeTo } from "../../../src/service/adapter-path.ts"

describe("relativeTo()", () => {
  const rows: readonly [path: string, below: string | null][] = [
    ["a", "a"],
    ["a/b", "a/b"],
    ["./a//b/", "a/b"],
    ["/srv/x/a", "a"],
    ["/srv/x//a/./b", "a/b"],
    ["/srv/x", ""],
    ["/srv/xa", null],
    ["/srv", null],
    ["/", null],
    ["..", null],
    ["a/../../b", null],
    ["a/..", null],
    ["/srv/x/../x/a", null],
    ["a\\..\\b", null],
    ["a\0", null],
    ["C:/srv/x/a", null],
    ["..a/b..", "..a/b.."],
  ]
  for (const [path, below] of rows) {
    test(`${JSON.stringify(path)} is ${below === null ? "outside" : JSON.stringify(below)}`, () => {
      expect(relativeTo("/srv/x", path)).toBe(below)
      expect(relativeTo("/srv/x/", path)).toBe(below)
    })
  }
})

describe("confine()", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "espalier-confine-")))
    await mkdir(join(folder, "root/real"), { recursive: true })
    await mkdir(join(folder, "outside"))
    await symlink(join(folder, "outside"), join(folder, "root/escape"))
    await symlink(join(folder, "root/real"), join(folder, "root/alias"))
    await symlink(join(folder, "root"), join(folder, "link-to-root"))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test("follows links inside the root and refuses those that lead out", async () => {
    const root = { path: join(folder, "root"), realPath: realpath }
    expect(await confine(root, "real")).toBe(join(folder, "root/real"))
    expect(await confine(root, "alias")).toBe(join(folder, "root/real"))
    expect(await confine(root, join(folder, "root/real"))).toBe(join(folder, "root/real"))
    await expect(confine(root, "escape")).rejects.toMatchObject({ code: "invalid_request", param: "path" })
    await expect(confine(root, "escape/x")).rejects.toMatchObject({ code: "not_found" })
  })

  test("works where the root itself is a link", async () => {
    const root = { path: join(folder, "link-to-root"), realPath: realpath }
    expect(await confine(root, "real")).toBe(join(folder, "root/real"))
  })

  test("says what is not there without saying where", async () => {
    const root = { path: join(folder, "root"), realPath: realpath }
    await expect(confine(root, "none")).rejects.toMatchObject({
      code: "not_found",
      message: 'There is no adapter folder "none"',
    })
  })
})
