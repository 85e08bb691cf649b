/**
 * @module The database of a store: opened once, whole, and moved aside when it is damaged.
 */
import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openDatabase } from "../../../src/presets/open-database.ts"
import { type Database, databaseOver, migrate, type SqliteLibrary } from "../../../src/store/database.ts"

const folders: string[] = []
const open: Database[] = []
const fresh = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-db-"))
  folders.push(folder)
  return join(folder, "jobs.sqlite")
}
const opened = async (path: string) => {
  const result = await openDatabase(path)
  open.push(result.database)
  return result
}
afterEach(() => {
  for (const database of open.splice(0)) database.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error) => error.code,
  )

describe("openDatabase()", () => {
  test("keeps what was written, with every commit on disk before it is acknowledged", async () => {
    const path = fresh()
    const { database, quarantined } = await opened(path)
    expect(quarantined).toBeNull()
    expect(database.get("PRAGMA journal_mode")).toEqual({ journal_mode: "wal" })
    expect(database.get("PRAGMA synchronous")).toEqual({ synchronous: 2 })
    database.run("CREATE TABLE t (a TEXT, b INTEGER)")
    expect(database.run("INSERT INTO t VALUES (?, ?)", "x", 1)).toBe(1)
    database.close()
    const again = await opened(path)
    expect(again.database.all("SELECT * FROM t")).toEqual([{ a: "x", b: 1 }])
    expect(again.database.get("SELECT * FROM t WHERE b = ?", 2)).toBeNull()
  })

  test("is refused to a second server, and free again after the first", async () => {
    const path = fresh()
    const { database } = await opened(path)
    expect(await codeOf(openDatabase(path))).toBe("conflict")
    database.close()
    expect((await opened(path)).quarantined).toBeNull()
  })

  test("a database that is none is moved aside as it is, and a new one is made", async () => {
    const path = fresh()
    writeFileSync(path, "this is no database at all, not by far".repeat(200))
    const { database, quarantined } = await opened(path)
    expect(quarantined).not.toBeNull()
    expect(readFileSync(quarantined!, "utf8")).toStartWith("this is no database")
    database.run("CREATE TABLE t (a TEXT)")
  })

  test("a database with garbled pages is moved aside", async () => {
    const path = fresh()
    const { database } = await opened(path)
    database.run("CREATE TABLE t (a TEXT)")
    database.run("CREATE INDEX i ON t (a)")
    database.transaction(() => {
      for (let i = 0; i < 300; i++) database.run("INSERT INTO t VALUES (?)", `row ${i} ${"x".repeat(50)}`)
    })
    database.close()
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 4096 * 2, 4096 * 4)
    writeFileSync(path, bytes)
    const again = await opened(path)
    expect(again.quarantined).not.toBeNull()
    expect(readdirSync(join(path, "..")).some((name) => name.includes(".damaged-"))).toBe(true)
    expect(again.database.all("SELECT name FROM sqlite_master")).toEqual([])
  })

  test("a folder that can't be written is told as that, and nothing is moved", async () => {
    const path = join(fresh(), "jobs.sqlite")
    writeFileSync(join(path, ".."), "a file where a folder is wanted")
    await expect(openDatabase(path)).rejects.toThrow()
  })
})

describe("transaction()", () => {
  test("is made whole or not at all, and nests", async () => {
    const { database } = await opened(fresh())
    database.run("CREATE TABLE t (a INTEGER)")
    expect(() =>
      database.transaction(() => {
        database.run("INSERT INTO t VALUES (1)")
        database.transaction(() => database.run("INSERT INTO t VALUES (2)"))
        throw new Error("no")
      }),
    ).toThrow("no")
    expect(database.all("SELECT * FROM t")).toEqual([])
    database.transaction(() => database.transaction(() => database.run("INSERT INTO t VALUES (3)")))
    expect(database.all("SELECT * FROM t")).toEqual([{ a: 3 }])
  })
})

describe("migrate()", () => {
  test("makes each step once, and refuses a later version's store", async () => {
    const { database } = await opened(fresh())
    const steps = ["CREATE TABLE a (x TEXT)", "CREATE TABLE b (x TEXT); CREATE TABLE c (x TEXT)"]
    migrate(database, steps.slice(0, 1))
    migrate(database, steps)
    migrate(database, steps)
    expect(database.all("SELECT name FROM sqlite_master ORDER BY name")).toEqual([
      { name: "a" },
      { name: "b" },
      { name: "c" },
    ])
    expect(() => migrate(database, steps.slice(0, 1))).toThrow("version 2")
  })
})

test("node:sqlite fits the same interface", async () => {
  const { DatabaseSync } = await import("node:sqlite")
  const database = databaseOver(new DatabaseSync(":memory:") as unknown as SqliteLibrary)
  migrate(database, ["CREATE TABLE t (a TEXT, b INTEGER)"])
  database.transaction(() => database.run("INSERT INTO t VALUES (?, ?)", "x", null))
  expect(database.get("SELECT a, b FROM t")).toEqual({ a: "x", b: null })
  expect(database.get("PRAGMA user_version")).toEqual({ user_version: 1 })
  database.close()
  database.close()
  expect(() => database.get("SELECT 1")).toThrow("closed")
})
