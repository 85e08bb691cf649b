import { afterEach, beforeEach, expect, test } from "bun:test"
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runCli } from "../../support/run-cli.ts"

let folder = ""
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-test-"))
  await mkdir(join(folder, "notes"))
  await writeFile(join(folder, "notes", "tal.md"), "# Tal\n\nThe mayor of Tal is Mira Voss.\n")
  await writeFile(join(folder, "notes", "ost.txt"), "The Ost is a long river.")
  await writeFile(join(folder, "notes", "picture.png"), "not text")
  await writeFile(
    join(folder, "more.jsonl"),
    '{"id":"a","text":"Otto Lind mends clocks.","metadata":{"year":2024}}\n{"id":"b","text":"Otto Lind bakes bread.","metadata":{"year":2025}}\n',
  )
})
afterEach(() => rm(folder, { recursive: true, force: true }))
const rag = (...args: readonly string[]) => runCli("rag", ...args, "--documents", join(folder, "index"))

test("a folder is added, searched, listed and removed from", async () => {
  const added = await rag("add", join(folder, "notes"), join(folder, "more.jsonl"))
  expect([added.err, added.code]).toEqual(["", 0])
  expect(added.out).toBe('4 added, 0 replaced, 0 unchanged; 4 pieces in "default"\n')
  expect((await rag("add", join(folder, "notes"))).out).toStartWith("0 added, 0 replaced, 2 unchanged")
  await writeFile(join(folder, "notes", "ost.txt"), "The Ost is a short river.")
  expect((await rag("add", join(folder, "notes"))).out).toStartWith("0 added, 1 replaced, 1 unchanged")

  const found = await rag("search", "Who is the mayor of Tal?", "--json")
  expect(found.records.length).toBe(1)
  expect(found.records[0]).toMatchObject({ type: "passage", title: "Tal", chunk: 0 })
  expect(String(found.records[0]!["text"])).toContain("Mira Voss")
  expect((await rag("search", "long river", "--json")).records[0]!["text"]).toBe("The Ost is a short river.")

  const year = await rag("search", "Otto", "--filter", "year=2025", "--json")
  expect(year.records.map(({ id }) => id)).toEqual(["b"])
  expect((await rag("search", "quantum")).out).toBe("Nothing was found\n")

  expect((await rag("list", "--json")).records.length).toBe(4)
  expect((await rag("remove", "a")).out).toBe("Removed a\n")
  expect((await rag("list")).out).not.toContain("clocks")
  expect((await rag("remove", "a")).err).toContain('There is no document "a"')
}, 30_000)

test("a file is the same document from whichever folder it is added, and however it is spelled", async () => {
  expect((await rag("add", join(folder, "notes"))).out).toStartWith("2 added")
  const ids = async () => (await rag("list", "--json")).records.map(({ id }) => id)
  expect(await ids()).toEqual(["notes/ost.txt", "notes/tal.md"])
  await symlink(join(folder, "notes"), join(folder, "linked"))
  const cwd = process.cwd()
  try {
    for (const [place, path] of [
      [folder, "notes"],
      [join(folder, "notes"), "tal.md"],
      [join(folder, "notes"), "../notes/ost.txt"],
      [folder, "linked/tal.md"],
    ] as const) {
      process.chdir(place)
      expect((await rag("add", path, "--base", join(cwd, "models/sprig"))).out).toStartWith("0 added, 0 replaced")
    }
  } finally {
    process.chdir(cwd)
  }
  expect(await ids()).toEqual(["notes/ost.txt", "notes/tal.md"])
  expect((await rag("remove", "notes/tal.md")).code).toBe(0)
}, 30_000)

test("collections are kept apart and named", async () => {
  await rag("add", join(folder, "more.jsonl"), "--collection", "people")
  await rag("add", join(folder, "notes"), "--collection", "places")
  expect((await rag("list", "--json")).records.map(({ name, documents }) => [name, documents])).toEqual([
    ["people", 2],
    ["places", 2],
  ])
  expect((await rag("search", "Otto", "--collection", "places", "--json")).records).toEqual([])
  const wrong = await rag("search", "Otto", "--collection", "plants")
  expect([wrong.code, wrong.err]).toEqual([3, expect.stringContaining("There are: people, places")])
}, 30_000)

test("what is wrong is said, with the file and the line", async () => {
  await writeFile(join(folder, "bad.jsonl"), '{"text":"a"}\n{"text":1}\n')
  const bad = await rag("add", join(folder, "bad.jsonl"))
  expect([bad.code, bad.err]).toEqual([3, expect.stringContaining('bad.jsonl: Line 2: expected a "text"')])
  expect((await rag("add", join(folder, "none"))).err).toContain("There is no file or folder")
  expect((await rag("add")).err).toContain("There is no file to add")
  expect((await rag("find")).err).toContain("Expected add, list, remove, search or calibrate but found find")
  expect((await rag("search", "x", "--limit", "99")).err).toContain("from 1 to 50 but found 99")
  await rag("add", join(folder, "more.jsonl"))
  expect((await rag("search", "x", "--filter", "year")).err).toContain(
    'Expected a filter such as year=2024 but found "year"',
  )
})
