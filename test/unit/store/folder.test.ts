import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fsFolder, memoryFolder } from "../../../src/store/folder.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-folder-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
writeFileSync(join(root, "a.bin"), Uint8Array.of(1, 2, 3, 4))
mkdirSync(join(root, "sub.bin"))
symlinkSync(join(root, "a.bin"), join(root, "link.bin"))

const memory = memoryFolder("memory", new Map([["a.bin", Uint8Array.of(1, 2, 3, 4)]]))

for (const [name, folder] of [
  ["fsFolder()", fsFolder(root)],
  ["memoryFolder()", memory],
] as const) {
  describe(name, () => {
    test("gives a file's size, bytes and ranges", async () => {
      expect(await folder.list()).toContain("a.bin")
      expect(await folder.size("a.bin")).toBe(4)
      expect([...(await folder.read("a.bin"))]).toEqual([1, 2, 3, 4])
      expect([...(await folder.readRange("a.bin", 1, 3))]).toEqual([2, 3])
    })

    test("refuses names that lead elsewhere", async () => {
      for (const file of [
        "../a.bin",
        "/a.bin",
        "sub/a.bin",
        "sub\\a.bin",
        "..",
        ".",
        "",
        "a\0.bin",
        "a..bin",
        ".hidden",
      ]) {
        await expect(folder.read(file)).rejects.toMatchObject({ code: "invalid_request" })
        await expect(folder.readRange(file, 0, 1)).rejects.toMatchObject({ code: "invalid_request" })
        await expect(folder.size(file)).rejects.toMatchObject({ code: "invalid_request" })
      }
    })

    test("names a file that is missing", async () => {
      await expect(folder.read("b.bin")).rejects.toMatchObject({ code: "invalid_file" })
      await expect(folder.size("b.bin")).rejects.toThrow(/b\.bin/)
    })
  })
}

describe("fsFolder()", () => {
  const folder = fsFolder(root)

  test("follows a link to a file, as hub caches have them", async () => {
    expect([...(await folder.read("link.bin"))]).toEqual([1, 2, 3, 4])
  })

  test("refuses what is no file, without its path in the message", async () => {
    const calls = [() => folder.read("sub.bin"), () => folder.size("sub.bin"), () => folder.readRange("sub.bin", 0, 1)]
    // One at a time: a promise refused before anyone awaits it counts as an error outside the test.
    for (const call of calls) {
      const error = await call().then(
        () => null,
        (thrown: unknown) => thrown as Error,
      )
      expect(error).toMatchObject({ code: "invalid_file" })
      expect(error!.message).toMatch(/has no readable file sub\.bin$/)
      expect(error!.message).not.toContain(root)
    }
  })

  test("says where a file ended before its range did", async () => {
    await expect(folder.readRange("a.bin", 2, 9)).rejects.toThrow("a.bin ended at byte 4 where 9 was expected")
  })

  test("stamps a file anew when it changes", async () => {
    const path = join(root, "stamped.bin")
    writeFileSync(path, "one")
    utimesSync(path, 1, 1)
    const first = await folder.stamp("stamped.bin")
    expect(await folder.stamp("stamped.bin")).toBe(first)
    utimesSync(path, 2, 2)
    expect(await folder.stamp("stamped.bin")).not.toBe(first)
  })
})
