/**
 * @module Uploaded files as rows; their bytes lie in the content store.
 */
import type { Database, SqlRow } from "../store/database.ts"
import { type Page, type PageRequest, pageOf } from "./page.ts"

/** What a file is for. */
export type FilePurpose = "fine-tune" | "fine-tune-results" | "assistants" | "user_data"

/** A file. */
export interface FileRecord {
  readonly id: string
  /** Who uploaded it; "" where nobody is told apart. */
  readonly owner: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly filename: string
  readonly purpose: FilePurpose
  readonly sha256: string
  readonly bytes: number
}

/** Adds a file. */
export function addFile(database: Database, file: FileRecord): void {
  database.run(
    "INSERT INTO files (id, owner, created_at, filename, purpose, sha256, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
    file.id,
    file.owner,
    file.createdAt,
    file.filename,
    file.purpose,
    file.sha256,
    file.bytes,
  )
}

/** A file of an owner, or null. */
export function findFile(database: Database, owner: string, id: string): FileRecord | null {
  const row = database.get("SELECT * FROM files WHERE id = ? AND owner = ?", id, owner)
  return row && readFile(row)
}

/** An owner's files, in pages. */
export function listFiles(
  database: Database,
  owner: string,
  purpose: string | null,
  page: PageRequest,
): Page<FileRecord> {
  const where =
    purpose === null ? (["owner = ?", owner] as const) : (["owner = ? AND purpose = ?", owner, purpose] as const)
  return pageOf(database, "files", where, page, readFile)
}

/** How many files there are, and their bytes. */
export function countFiles(database: Database): { readonly files: number; readonly bytes: number } {
  const row = database.get("SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM files")!
  return { files: Number(row["files"]), bytes: Number(row["bytes"]) }
}

/** Removes a file's row. @returns whether there was one */
export function removeFile(database: Database, owner: string, id: string): boolean {
  return database.run("DELETE FROM files WHERE id = ? AND owner = ?", id, owner) > 0
}

/** Whether a file, or a job that is not over, still needs a content. */
export function isContentNeeded(database: Database, sha256: string): boolean {
  return (
    database.get("SELECT 1 FROM files WHERE sha256 = ? LIMIT 1", sha256) !== null ||
    database.get(
      "SELECT 1 FROM jobs WHERE finished_at IS NULL AND (training_sha256 = ? OR validation_sha256 = ?) LIMIT 1",
      sha256,
      sha256,
    ) !== null
  )
}

const readFile = (row: SqlRow): FileRecord => ({
  id: String(row["id"]),
  owner: String(row["owner"]),
  createdAt: Number(row["created_at"]),
  filename: String(row["filename"]),
  purpose: String(row["purpose"]) as FilePurpose,
  sha256: String(row["sha256"]),
  bytes: Number(row["bytes"]),
})
