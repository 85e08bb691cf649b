/**
 * @module Opens a SQLite database file by the library that this runtime has: `bun:sqlite` on Bun, `node:sqlite` on Deno
 * and on Node from 22.13 on. It is checked before it is used, and one process at a time has it.
 */
import { mkdir, open as openFile, rename } from "node:fs/promises"
import { dirname } from "node:path"
import { EspalierError, messageOf } from "../core/errors.ts"
import { type Database, databaseOver, type SqliteLibrary } from "../store/database.ts"

/** A database that was opened. */
export interface OpenedDatabase {
  readonly database: Database
  /** Where a file went that was found damaged; null where it was sound. */
  readonly quarantined: string | null
}

/** What a database is for. */
export interface DatabaseOptions {
  /** As errors call it. */
  readonly name: string
  /** The option that says where it is. */
  readonly option: string
  /** Whether other processes may have it open as well. */
  readonly shared: boolean
  /** What is wrong with what the tables hold, or null; whatever it throws is wrong as well. */
  readonly damageOf?: (database: Database) => string | null
}

/** A job store's. */
export const jobStore: DatabaseOptions = { name: "job store", option: "store", shared: false }

/** Files that belong to a database. */
const PARTS = ["", "-wal", "-shm", "-journal"]

/**
 * Opens or makes a database. What was acknowledged is on disk (WAL, `synchronous = FULL`). A file that is damaged is
 * moved aside, never deleted and never written over.
 * @throws {EspalierError} `conflict` if another process has it open, `unavailable` where there is no SQLite.
 */
export async function openDatabase(path: string, options: DatabaseOptions = jobStore): Promise<OpenedDatabase> {
  const open = await library(options)
  await mkdir(dirname(path), { recursive: true })
  const first = (await headerDamage(path)) ?? tryOpen(open, path, options)
  if (typeof first !== "string") return { database: first, quarantined: null }
  const aside = `${path}.damaged-${Date.now().toString(36)}`
  for (const part of PARTS) await rename(`${path}${part}`, `${aside}${part}`).catch(ignoreMissing)
  const second = tryOpen(open, path, options)
  if (typeof second !== "string") return { database: second, quarantined: aside }
  throw new EspalierError("unavailable", `The ${options.name} can't be opened: ${second}`, {
    hint: `Keep another folder with --${options.option}`,
  })
}

/** What is wrong with a file's header: one of a format to come would be opened, and refuse every write. */
async function headerDamage(path: string): Promise<string | null> {
  const file = await openFile(path).catch(() => null)
  try {
    const { buffer, bytesRead } = (await file?.read(new Uint8Array(20), 0, 20, 0)) ?? { buffer: [], bytesRead: 0 }
    // https://www.sqlite.org/fileformat2.html#file_format_version_numbers
    return bytesRead === 20 && (buffer[18]! > 2 || buffer[19]! > 2)
      ? "its header names a format that there is not"
      : null
  } finally {
    await file?.close()
  }
}

/** The database, or what is wrong with its file. @throws {EspalierError} `conflict` if another process has it open. */
function tryOpen(
  open: (path: string) => SqliteLibrary,
  path: string,
  { name, option, shared, damageOf }: DatabaseOptions,
): Database | string {
  let opened: SqliteLibrary | null = null
  try {
    opened = open(path)
    opened.exec(`PRAGMA busy_timeout = ${shared ? 30_000 : 0}`)
    // One process keeps the lock for as long as it lives: two servers would run each job twice.
    if (!shared) opened.exec("PRAGMA locking_mode = EXCLUSIVE")
    opened.exec("PRAGMA journal_mode = WAL")
    opened.exec("PRAGMA synchronous = FULL")
    opened.exec("BEGIN IMMEDIATE; COMMIT")
    const database = databaseOver(opened)
    const found = Object.values(database.get(`PRAGMA ${shared ? "quick" : "integrity"}_check(1)`) ?? {})[0]
    const damage = found === "ok" ? (damageOf?.(database) ?? null) : String(found)
    if (damage === null) return database
    database.close()
    return damage
  } catch (error) {
    opened?.close()
    if (/locked|busy/i.test(messageOf(error))) {
      throw new EspalierError("conflict", `Another process has the ${name} ${path} open`, {
        hint: `End that one, or keep another folder with --${option}`,
        param: option,
        cause: error,
      })
    }
    if (
      /unable to open|read-?only|disk/i.test(messageOf(error)) &&
      !/malformed|not a database/i.test(messageOf(error))
    ) {
      throw new EspalierError("unavailable", `The ${name} ${path} can't be opened: ${messageOf(error)}`, {
        hint: `Give a folder that can be written with --${option}`,
        param: option,
        cause: error,
      })
    }
    return messageOf(error)
  }
}

/** Opens a path by whichever library is there. @throws {EspalierError} `unavailable` where there is none. */
async function library({ option }: DatabaseOptions): Promise<(path: string) => SqliteLibrary> {
  // By a name in a variable, as no type check and no bundler of another runtime knows both.
  const name = "Bun" in globalThis ? "bun:sqlite" : "node:sqlite"
  try {
    const found = (await import(name)) as {
      readonly Database?: new (path: string, options: object) => SqliteLibrary
      readonly DatabaseSync?: new (path: string) => SqliteLibrary
    }
    const { Database, DatabaseSync } = found
    return (path) => (Database ? new Database(path, { create: true, readwrite: true }) : new DatabaseSync!(path))
  } catch (cause) {
    throw new EspalierError("unavailable", "This needs SQLite, which this runtime does not have", {
      hint: `Run on Bun, on Deno, or on Node 22.13 or later; or leave it out with --${option} off`,
      param: option,
      cause,
    })
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as { code?: unknown }).code !== "ENOENT") throw error
}
