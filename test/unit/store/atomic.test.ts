import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildFolderAtomic, recoverFolder, writeFileAtomic, writeFolderAtomic } from "../../../src/store/atomic.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-atomic-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const bytes = (text: string) => new TextEncoder().encode(text)

test("writeFileAtomic() replaces a file and leaves nothing beside it", async () => {
  const folder = join(root, "file")
  await writeFileAtomic(join(folder, "a.txt"), bytes("one"))
  await writeFileAtomic(join(folder, "a.txt"), bytes("two"))
  expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("two")
  expect(readdirSync(folder)).toEqual(["a.txt"])
})

test("writeFolderAtomic() replaces a folder whole: files of the old one are gone", async () => {
  const path = join(root, "folder", "adapter")
  await writeFolderAtomic(
    path,
    new Map([
      ["old.txt", bytes("1")],
      ["both.txt", bytes("1")],
    ]),
  )
  await writeFolderAtomic(
    path,
    new Map([
      ["new.txt", bytes("2")],
      ["both.txt", bytes("2")],
    ]),
  )
  expect(readdirSync(path).sort()).toEqual(["both.txt", "new.txt"])
  expect(readFileSync(join(path, "both.txt"), "utf8")).toBe("2")
  expect(readdirSync(join(root, "folder"))).toEqual(["adapter"])
})

test("writeFolderAtomic() leaves the old folder where a file can't be written", async () => {
  const path = join(root, "failing", "adapter")
  await writeFolderAtomic(path, new Map([["a.txt", bytes("1")]]))
  await expect(
    writeFolderAtomic(
      path,
      new Map([
        ["a.txt", bytes("2")],
        ["no/such/folder.txt", bytes("2")],
      ]),
    ),
  ).rejects.toThrow()
  expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("1")
  expect(readdirSync(join(root, "failing"))).toEqual(["adapter"])
})

test("recoverFolder() puts back a folder that a crash left moved aside", async () => {
  const folder = join(root, "crash")
  mkdirSync(join(folder, ".adapter.old"), { recursive: true })
  writeFileSync(join(folder, ".adapter.old", "a.txt"), "1")
  await recoverFolder(join(folder, "adapter"))
  expect(readFileSync(join(folder, "adapter", "a.txt"), "utf8")).toBe("1")
})

test("recoverFolder() removes what a dead process left half written, and nothing of a living one", async () => {
  const folder = join(root, "stale")
  mkdirSync(join(folder, `.adapter.tmp-${process.pid}-x-0`), { recursive: true })
  mkdirSync(join(folder, ".adapter.tmp-999999999-x-0"))
  await recoverFolder(join(folder, "adapter"))
  expect(readdirSync(folder)).toEqual([`.adapter.tmp-${process.pid}-x-0`])
})

test("writers and readers of one folder at the same time: none fails, and one version stands whole", async () => {
  const path = join(root, "busy", "adapter")
  const version = (text: string) =>
    new Map([
      ["a.txt", bytes(text)],
      ["b.txt", bytes(text)],
    ])
  await writeFolderAtomic(path, version("0"))
  let writing = true
  const recovering = (async () => {
    while (writing) await recoverFolder(path)
  })()
  await Promise.all(
    ["1", "2"].map(async (text) => {
      for (let i = 0; i < 20; i++) await writeFolderAtomic(path, version(text))
    }),
  ).finally(() => {
    writing = false
  })
  await recovering
  const found = ["a.txt", "b.txt"].map((name) => readFileSync(join(path, name), "utf8"))
  expect(["1", "2"]).toContain(found[0]!)
  expect(found[1]).toBe(found[0]!)
  expect(readdirSync(join(root, "busy"))).toEqual(["adapter"])
})

test("buildFolderAtomic() takes its place though the old folder is put back under its hands", async () => {
  const path = join(root, "undone", "adapter")
  await writeFolderAtomic(path, new Map([["old.txt", bytes("1")]]))
  await buildFolderAtomic(path, async (folder) => {
    writeFileSync(join(folder, "new.txt"), "2")
    // What a crash of another writer leaves, beside a folder that stands: neither may end up in the new one's place.
    mkdirSync(join(root, "undone", ".adapter.old"))
    writeFileSync(join(root, "undone", ".adapter.old", "stale.txt"), "0")
  })
  expect(readdirSync(path)).toEqual(["new.txt"])
  expect(readdirSync(join(root, "undone"))).toEqual(["adapter"])
})
