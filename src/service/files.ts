/**
 * @module /v1/files: training files, taken in piece by piece, checked line by line, and kept by their content.
 */

import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import { checkDataFile } from "../data/check-file.ts"
import { addFile, type FileRecord, findFile, listFiles, removeFile } from "../jobs/file-table.ts"
import type { JobStore } from "../jobs/job-store.ts"
import type { Arrived } from "../store/content-store.ts"
import { createOnce } from "../store/idempotency.ts"
import { checked } from "./check.ts"
import { type Caller, type FormPart, textOf } from "./form-part.ts"
import { type DeletedBody, type FileObject, fileListQuery, type PageBody, pageBody } from "./jobs-wire.ts"

/** What a client can do with files. */
export interface FileService {
  /**
   * Takes in a form with a file and its purpose; what it answers is on disk.
   * @throws {EspalierError} `invalid_file` naming the line, `too_large`, `invalid_request`, `conflict` for a key that came
   *   with another body
   */
  create(form: AsyncIterable<FormPart>, caller?: Caller): Promise<FileObject>
  /** @param query as it stands in the address */
  list(query: Readonly<Record<string, string>>, caller?: Caller): PageBody<FileObject>
  /** @throws {EspalierError} `not_found` */
  retrieve(id: string, caller?: Caller): FileObject
  /** @throws {EspalierError} `not_found` */
  content(id: string, caller?: Caller): { readonly file: FileObject; readonly chunks: AsyncIterable<Uint8Array> }
  /** @throws {EspalierError} `not_found` */
  delete(id: string, caller?: Caller): Promise<DeletedBody<"file">>
}

/** Uploads at once: each may fill the disk with as much as a file may have. */
const MOST_UPLOADS = 64
/** A plain field of the form is at most this long, in bytes. */
const MAX_FIELD_BYTES = 1024

/** Files over a store. @param maxFileBytes of one file */
export function createFileService(store: JobStore, maxFileBytes: number): FileService {
  const { database, contents, now, newId } = store
  const found = (id: string, { owner = "" }: Caller = {}): FileRecord => {
    const file = findFile(database, owner, id)
    if (file) return file
    throw new EspalierError("not_found", `There is no file "${id.slice(0, 100)}"`, { param: "file_id" })
  }
  let uploads = 0
  async function take(
    form: AsyncIterable<FormPart>,
    owner: string,
    idempotencyKey: string | undefined,
  ): Promise<FileObject> {
    const { arrived, filename, purpose } = await readForm(form, (chunks) => contents.receive(chunks, maxFileBytes))
    try {
      // What is to be searched is read when it comes into a vector store.
      if (purpose === "fine-tune") await checkDataFile(filename, arrived.stream(), breathe)
      const bodySha256 = await sha256Hex(encodeUtf8(JSON.stringify([arrived.sha256, filename, purpose])))
      // What is kept must not be tidied away before its row is there.
      return await store.tidying.run(async () => {
        await arrived.keep()
        return createOnce(
          database,
          { owner, scope: "file", key: idempotencyKey, bodySha256, now: now() },
          (): FileObject => {
            const { sha256, bytes } = arrived
            const file = { id: `file-${newId()}`, owner, createdAt: now(), filename, purpose, sha256, bytes }
            addFile(database, file)
            return fileObject(file)
          },
        )
      })
    } finally {
      await arrived.discard()
    }
  }
  return {
    async create(form, { owner = "", idempotencyKey } = {}) {
      if (uploads >= MOST_UPLOADS) {
        throw new EspalierError(
          "queue_full",
          `${uploads} files are being uploaded, as many as this server takes at once`,
        )
      }
      uploads++
      try {
        return await take(form, owner, idempotencyKey)
      } finally {
        uploads--
      }
    },
    list(query, { owner = "" } = {}) {
      const { limit, after, order, purpose } = checked(fileListQuery, query)
      const page = { limit, after: after ?? null, order }
      const { items, hasMore } = listFiles(database, owner, purpose ?? null, page)
      return pageBody(items.map(fileObject), hasMore)
    },
    retrieve: (id, caller) => fileObject(found(id, caller)),
    content(id, caller) {
      const file = found(id, caller)
      return { file: fileObject(file), chunks: contents.stream(file.sha256) }
    },
    async delete(id, caller) {
      const { sha256, owner } = found(id, caller)
      removeFile(database, owner, id)
      await store.removeUnneeded([sha256])
      return { id, object: "file", deleted: true }
    },
  }
}

/** A file as OpenAI shows it. */
export const fileObject = ({ id, bytes, createdAt, filename, purpose }: FileRecord): FileObject => ({
  id,
  object: "file",
  bytes,
  created_at: Math.floor(createdAt / 1000),
  filename,
  purpose,
  status: "processed",
})

const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

interface ReadForm {
  readonly arrived: Arrived
  readonly filename: string
  readonly purpose: UploadPurpose
}

/** The form's fields, in any order, and its file as it was taken in. */
async function readForm(
  form: AsyncIterable<FormPart>,
  receive: (chunks: AsyncIterable<Uint8Array>) => Promise<Arrived>,
): Promise<ReadForm> {
  let arrived: Arrived | null = null
  let filename = ""
  const fields = new Map<string, string>()
  try {
    for await (const part of form) {
      if (part.name === "file" && part.filename !== null) {
        if (arrived) throw wrong("file", "Expected one file but found several")
        filename = plainName(part.filename)
        arrived = await receive(part.chunks)
      } else {
        const { name, chunks } = part
        fields.set(name, await textOf(chunks, MAX_FIELD_BYTES, () => wrong(name.slice(0, 64), "Expected a short text")))
      }
    }
    if (!arrived) throw wrong("file", "Expected a part `file` with a file name but found none")
    return { arrived, filename, purpose: checkFields(fields) }
  } catch (error) {
    await arrived?.discard()
    throw error
  }
}

/** What files may be uploaded for: to train on, or to be searched. */
const uploadPurposes = ["fine-tune", "assistants", "user_data"] as const
type UploadPurpose = (typeof uploadPurposes)[number]

function checkFields(fields: ReadonlyMap<string, string>): UploadPurpose {
  const given = fields.get("purpose")
  if (given === undefined) throw wrong("purpose", 'Expected a part `purpose` that says "fine-tune" but found none')
  const purpose = uploadPurposes.find((each) => each === given)
  if (purpose === undefined) {
    throw new EspalierError(
      "unsupported",
      `Expected the purpose "fine-tune", "assistants" or "user_data" but found ${JSON.stringify(given)}`,
      { param: "purpose" },
    )
  }
  if ([...fields.keys()].some((name) => name.startsWith("expires_after"))) {
    throw new EspalierError("unsupported", "Files do not expire on this server: they stay until they are deleted", {
      param: "expires_after",
    })
  }
  return purpose
}

/** A name without folders and control characters: it is shown, and never used as a path. */
function plainName(given: string): string {
  const name = given
    .split(/[\\/]/)
    .at(-1)!
    .replace(/\p{Cc}/gu, "")
    .slice(0, 255)
  return name === "" ? "upload.jsonl" : name
}

const wrong = (param: string, message: string): EspalierError =>
  new EspalierError("invalid_request", message, { param })
