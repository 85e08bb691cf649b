/**
 * @module The tables of the job store. `seq` counts in the order of creation, which clocks do not.
 */
import { idempotencyTable } from "../store/idempotency.ts"

/** What takes each version of the store to the next. A step that was released is never changed. */
export const storeSchema: readonly string[] = [
  `
  CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL
  );
  CREATE INDEX files_sha256 ON files (sha256);
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    status TEXT NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    base_hash TEXT NOT NULL,
    spec TEXT NOT NULL,
    model_name TEXT NOT NULL UNIQUE,
    metadata TEXT,
    training_sha256 TEXT NOT NULL,
    validation_sha256 TEXT,
    threads INTEGER,
    step INTEGER NOT NULL DEFAULT 0,
    steps INTEGER,
    estimated_finish INTEGER,
    trained_tokens INTEGER,
    fine_tuned_model TEXT,
    model_deleted INTEGER NOT NULL DEFAULT 0,
    result_file TEXT,
    error TEXT,
    crashes INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX jobs_status ON jobs (status);
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL,
    once TEXT,
    created_at INTEGER NOT NULL,
    level TEXT NOT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT,
    UNIQUE (job, once)
  );
  CREATE INDEX events_job ON events (job, seq);
  CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    step INTEGER NOT NULL,
    model TEXT NOT NULL,
    metrics TEXT NOT NULL,
    UNIQUE (job, step)
  );
  ${idempotencyTable}
  `,
]
