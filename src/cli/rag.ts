/**
 * @module `espalier rag`: add, list, remove and search documents.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import { calibrateRouter } from "../answering/calibrate.ts"
import { type LabelledQuestion, readQuestions } from "../answering/questions.ts"
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError, messageOf } from "../core/errors.ts"
import { openDocuments } from "../presets/open-documents.ts"
import { openEngine } from "../presets/open-engine.ts"
import { calibratedPath, openProfile } from "../presets/open-profile.ts"
import type { NewDocument } from "../rag/document.ts"
import type { DocumentIndex } from "../rag/document-index.ts"
import { equalTo } from "../rag/filter.ts"
import { formatOfName, readDocuments } from "../rag/readers/read.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { DEFAULT_COLLECTION } from "../service/documents-wire.ts"
import { writeFileAtomic } from "../store/atomic.ts"
import { formatBytes } from "../train/progress.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { overDocuments } from "./eval-rag.ts"
import { count, whole } from "./number-range.ts"
import { DEFAULT_STORE } from "./serve-store.ts"
import { baseFolder, embedderOption, engineOptions, engineSettings } from "./shared-options.ts"

const options = {
  documents: { type: "string", value: "folder", description: "where the index lies", default: DEFAULT_STORE },
  collection: { type: "string", value: "name", description: "which documents", default: DEFAULT_COLLECTION },
  base: { type: "string", value: "folder", description: "whose tokenizer counts", default: "the embedded base, sprig" },
  "chunk-tokens": { type: "number", range: whole(8, 65_536), description: "tokens of a piece at most", default: "160" },
  "chunk-overlap": {
    type: "number",
    range: whole(0, 32_768),
    description: "tokens that neighbouring pieces share at most",
    default: "32",
  },
  embedder: embedderOption,
  from: {
    type: "list",
    value: "file",
    description: "calibrate over these documents instead of the collection; may be given several times",
  },
  out: { type: "string", value: "file", description: "where the calibration goes", default: "beside the documents" },
  backend: engineOptions.backend,
  threads: engineOptions.threads,
  limit: { type: "number", range: count(50), description: "passages of a search", default: "3" },
  filter: {
    type: "list",
    value: "key=value",
    description: "metadata that a document must have; may be given several times",
  },
} as const
type Values = OptionValues<typeof options> & { readonly json?: boolean }

export const ragCommand = defineCommand({
  name: "rag",
  summary: "Keeps documents that answers may rest on: add, list, remove, search.",
  usage: "add <file or folder>... | list | remove <id>... | search <question> | calibrate <file>... [options]",
  options,
  examples: [
    "espalier rag add docs README.md",
    'espalier rag search "How are adapters swapped?"',
    "espalier rag list --json",
    "espalier rag remove README.md",
    "espalier rag calibrate models/sprig/retrieval/train.questions.jsonl --from models/sprig/retrieval/train.documents.jsonl --out calibration.json",
  ],
  async run(given, [action, ...rest], io) {
    const values = given as Values
    const run = action === undefined ? undefined : actions[action]
    if (!run)
      throw new EspalierError(
        "invalid_request",
        `Expected add, list, remove, search or calibrate but found ${action ?? "nothing"}`,
        {
          hint: "See espalier rag --help",
        },
      )
    const opened: EngineApi[] = []
    const index = await openDocuments({
      folder: values.documents ?? DEFAULT_STORE,
      base: baseFolder(values.base),
      ...(values["chunk-tokens"] !== undefined && { chunkTokens: values["chunk-tokens"] }),
      ...(values["chunk-overlap"] !== undefined && { chunkOverlap: values["chunk-overlap"] }),
      ...(values.embedder !== undefined && { embedder: values.embedder }),
      async engine() {
        opened.push(await openEngine({ ...engineSettings(values), force: true }))
        return opened[0]!
      },
    })
    try {
      return await run(index, rest, values, io)
    } finally {
      index.close()
      await opened[0]?.close()
    }
  },
})

type Action = (index: DocumentIndex, args: readonly string[], values: Values, io: Io) => Promise<number>

const actions: Readonly<Record<string, Action>> = { add, list, remove, search, calibrate }

const nameOf = (values: Values): string => values.collection ?? DEFAULT_COLLECTION

/** The collection that was asked for. @throws {EspalierError} `not_found` */
function existing(index: DocumentIndex, values: Values): string {
  const found = index.collection("", nameOf(values))
  if (found) return found.id
  const names = index.collections("").map(({ name }) => name)
  throw new EspalierError("not_found", `There is no collection "${nameOf(values)}"`, {
    hint: names.length > 0 ? `There are: ${names.join(", ")}` : "Add documents first: espalier rag add <file>",
  })
}

async function add(index: DocumentIndex, paths: readonly string[], values: Values, io: Io): Promise<number> {
  if (paths.length === 0)
    throw new EspalierError("invalid_request", "There is no file to add", { hint: "Such as: espalier rag add docs" })
  const files = (await Promise.all(paths.map(filesBelow))).flat()
  const collection = (index.collection("", nameOf(values)) ?? index.createCollection("", nameOf(values))).id
  const home = await realpath(dirname(resolve(values.documents ?? DEFAULT_STORE)))
  const counts = { added: 0, replaced: 0, unchanged: 0, chunks: 0 }
  const keep = async (documents: readonly NewDocument[]): Promise<void> => {
    for (const { document, change } of await index.putAll(collection, documents)) {
      counts[change]++
      counts.chunks += document.chunks
      if (values.json)
        io.out(`${JSON.stringify({ type: "document", id: document.id, change, chunks: document.chunks })}\n`)
    }
  }
  let waiting: NewDocument[] = []
  for (const file of files) {
    for (const document of await fileDocuments(file, home)) {
      waiting.push(document)
      if (waiting.length < TOGETHER) continue
      await keep(waiting)
      waiting = []
    }
  }
  await keep(waiting)
  if (!values.json)
    io.out(
      `${counts.added} added, ${counts.replaced} replaced, ${counts.unchanged} unchanged; ${counts.chunks} pieces in "${nameOf(values)}"\n`,
    )
  return exitCodes.ok
}

/** Documents that are written at once: each write waits for the disk. */
const TOGETHER = 256

/**
 * A file's documents. One that has no id gets its path from the folder that the index lies in, which is the same wherever the command is
 * typed.
 * @throws {EspalierError} naming the file
 */
async function fileDocuments(path: string, home: string) {
  const place = join(await realpath(dirname(path)), basename(path))
  const id = relative(home, place).split(sep).join("/")
  try {
    return await readDocuments(await readFile(path), { name: id, id })
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error
    throw new EspalierError(error.code, `${path}: ${messageOf(error)}`, {
      cause: error,
      ...(error.hint && { hint: error.hint }),
    })
  }
}

const missing =
  (path: string) =>
  (cause: unknown): never => {
    throw new EspalierError("not_found", `There is no file or folder ${path}`, { cause })
  }

/** A file, or those of a folder that are of a kind that can be read. @throws {EspalierError} `not_found` */
async function filesBelow(path: string): Promise<string[]> {
  const found = await stat(path).catch(missing(path))
  if (!found.isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && formatOfName(entry.name) !== null)
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.split(sep).includes("node_modules"))
    .sort()
}

async function list(index: DocumentIndex, _args: readonly string[], values: Values, io: Io): Promise<number> {
  if (values.collection === undefined && index.collections("").length !== 1) {
    for (const { name, documents, bytes } of index.collections(""))
      io.out(
        values.json
          ? `${JSON.stringify({ type: "collection", name, documents, bytes })}\n`
          : `${name}: ${documents} documents, ${formatBytes(bytes)}\n`,
      )
    return exitCodes.ok
  }
  const collection = values.collection === undefined ? index.collections("")[0]!.id : existing(index, values)
  for (let after: string | undefined; ; ) {
    const page = index.documents(collection, { limit: 1000, ...(after !== undefined && { after }) })
    for (const { id, title, chunks, bytes } of page)
      io.out(
        values.json
          ? `${JSON.stringify({ type: "document", id, title, chunks, bytes })}\n`
          : `${id}  ${title}  (${chunks} pieces, ${formatBytes(bytes)})\n`,
      )
    after = page.at(-1)?.id
    if (page.length < 1000) return exitCodes.ok
  }
}

async function remove(index: DocumentIndex, ids: readonly string[], values: Values, io: Io): Promise<number> {
  const collection = existing(index, values)
  if (ids.length === 0)
    throw new EspalierError("invalid_request", "There is no document to remove", {
      hint: "espalier rag list names them",
    })
  for (const id of ids) {
    if (!index.remove(collection, id)) throw new EspalierError("not_found", `There is no document "${id}"`)
    io.out(values.json ? `${JSON.stringify({ type: "removed", id })}\n` : `Removed ${id}\n`)
  }
  return exitCodes.ok
}

async function search(index: DocumentIndex, words: readonly string[], values: Values, io: Io): Promise<number> {
  const query = words.join(" ")
  if (query.trim() === "") throw new EspalierError("invalid_request", "There is no question to search for")
  const limit = values.limit ?? 3
  const found = await index.search({
    collection: existing(index, values),
    query,
    limit,
    filter: equalTo(filterOf(values.filter)),
  })
  for (const { documentId, title, chunk, start, end, text, score, relevance } of found)
    io.out(
      values.json
        ? `${JSON.stringify({ type: "passage", id: documentId, title, chunk, start, end, text, score, relevance })}\n`
        : `${score.toFixed(2)}  ${documentId} [${start}-${end}]\n${text.trim().replace(/^/gm, "      ")}\n\n`,
    )
  if (found.length === 0 && !values.json) io.out("Nothing was found\n")
  return exitCodes.ok
}

/** Fits the router to labelled questions, and keeps it with how well it does. */
async function calibrate(index: DocumentIndex, files: readonly string[], values: Values, io: Io): Promise<number> {
  if (files.length === 0)
    throw new EspalierError("invalid_request", "Expected a file of labelled questions", {
      hint: 'Its lines are such as {"question": "Who is the mayor of Tal?", "retrieve": true}',
    })
  const questions: LabelledQuestion[] = []
  for (const file of files) questions.push(...readQuestions(await readFile(file, "utf8").catch(missing(file)), file))
  const engine = await openEngine({ ...engineSettings(values), force: true })
  try {
    const { baseHash } = engine.info
    const base = baseFolder(values.base)
    const { reading } = await openProfile({ documents: null, base, baseHash })
    const fit = (retriever: DocumentIndex, collection: string) =>
      calibrateRouter(questions, { engine, retriever, reading, collection }, (done) => {
        if (io.isTerminal && !values.json)
          io.err(done < questions.length ? `\r${done} of ${questions.length}` : "\r\x1b[K")
      })
    const router = await (values.from === undefined
      ? fit(index, existing(index, values))
      : overDocuments((await Promise.all(values.from.map(documentsOf))).flat(), base, fit))
    const out = values.out ?? calibratedPath(values.documents ?? DEFAULT_STORE, baseHash)
    await writeFileAtomic(out, encodeUtf8(`${JSON.stringify({ reading, router }, null, 2)}\n`))
    io.out(
      values.json
        ? `${JSON.stringify({ type: "calibration", out, ...router })}\n`
        : `Precision ${(100 * router.precision).toFixed(1)} %, recall ${(100 * router.recall).toFixed(1)} % at threshold ${router.threshold.toFixed(3)}, of ${router.examples} questions\nWrote ${out}\n`,
    )
    return exitCodes.ok
  } finally {
    await engine.close()
  }
}

/** The documents of a file. @throws {EspalierError} `not_found`, `invalid_file` */
const documentsOf = async (file: string) => readDocuments(await readFile(file).catch(missing(file)), { name: file })

/** `key=value` as metadata: numbers, true and false are what they look like. */
function filterOf(given: readonly string[] = []): Record<string, string | number | boolean> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf("=")
      if (at < 1)
        throw new EspalierError("invalid_request", `Expected a filter such as year=2024 but found "${text}"`, {
          param: "filter",
        })
      const value = text.slice(at + 1)
      const plain = value === "true" ? true : value === "false" ? false : value.trim() === "" ? value : Number(value)
      return [text.slice(0, at), Number.isNaN(plain) ? value : plain]
    }),
  )
}
