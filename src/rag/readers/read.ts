/**
 * @module Files as documents: Markdown, HTML, PDF, plain text, and JSON lines of many documents.
 */
import { EspalierError } from "../../core/errors.ts"
import type { Metadata, NewDocument } from "../document.ts"
import { readHtml } from "./html.ts"
import { markdownText } from "./markdown.ts"
import { readPdf } from "./pdf.ts"

/** Kinds of files. */
export const documentFormats = ["text", "markdown", "html", "pdf", "jsonl"] as const

/** A kind of file. */
export type DocumentFormat = (typeof documentFormats)[number]

const endings: Readonly<Record<string, DocumentFormat>> = {
  md: "markdown",
  markdown: "markdown",
  html: "html",
  htm: "html",
  pdf: "pdf",
  jsonl: "jsonl",
  ndjson: "jsonl",
  txt: "text",
  text: "text",
  csv: "text",
  log: "text",
  rst: "text",
}

/** The format that a file's name tells; null where it tells none. */
export const formatOfName = (name: string): DocumentFormat | null =>
  endings[/\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? ""] ?? null

/** Values of a document's metadata at most, and characters of a key or a text among them. */
const MOST_METADATA = { values: 32, key: 64, text: 512 }

/**
 * The documents of a file: one, or one a line of JSON lines.
 * @param name the title of what has none
 * @param id the id of what has none
 * @throws {EspalierError} `invalid_file` naming the line, `unsupported` for a name that tells no format
 */
export async function readDocuments(
  bytes: Uint8Array,
  { name, id, format = formatOfName(name) }: { name: string; id?: string; format?: DocumentFormat | null },
): Promise<NewDocument[]> {
  if (format === null)
    throw new EspalierError("unsupported", `"${name.slice(0, 200)}" is of no kind that can be read`, {
      hint: `Files end in ${Object.keys(endings)
        .map((ending) => `.${ending}`)
        .join(", ")}`,
    })
  if (format === "jsonl") return jsonLines(utf8(bytes, name))
  const { title, text } = await readPage(bytes, name, format)
  if (text.trim() === "")
    throw new EspalierError("invalid_file", `There is no text in ${name}`, {
      ...(format === "pdf" && { hint: "Scanned pages need a text layer" }),
    })
  return [{ ...(id !== undefined && { id }), title: title === "" ? name : title, text, metadata: {} }]
}

async function readPage(bytes: Uint8Array, name: string, format: Exclude<DocumentFormat, "jsonl">) {
  if (format === "pdf") return readPdf(bytes)
  const text = utf8(bytes, name)
  if (format === "html") return readHtml(text)
  if (format === "text") return { title: "", text }
  const plain = markdownText(text)
  return { title: /^# (.+)$/m.exec(plain)?.[1] ?? "", text: plain }
}

function utf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replaceAll("\r\n", "\n")
  } catch (cause) {
    throw new EspalierError("invalid_file", `${name} is not valid UTF-8`, { cause })
  }
}

/** `{"text": ..., "title"?, "id"?, "metadata"?}` a line. */
function jsonLines(text: string): NewDocument[] {
  const documents: NewDocument[] = []
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const wrong = (message: string): EspalierError => new EspalierError("invalid_file", `Line ${i + 1}: ${message}`)
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch {
      throw wrong("expected a JSON object")
    }
    const { id, title, text: body, metadata } = (json ?? {}) as Record<string, unknown>
    if (typeof body !== "string" || body.trim() === "") throw wrong('expected a "text"')
    if (id !== undefined && (typeof id !== "string" || id === "" || id.length > 256))
      throw wrong('expected "id" to be a text of 1 to 256 characters')
    if (title !== undefined && typeof title !== "string") throw wrong('expected "title" to be a text')
    const problem = metadataProblem(metadata ?? {})
    if (problem !== null) throw wrong(problem)
    documents.push({
      ...(id !== undefined && { id: id as string }),
      title: (title as string | undefined) ?? firstWords(body),
      text: body,
      metadata: (metadata ?? {}) as Metadata,
    })
  }
  if (documents.length === 0) throw new EspalierError("invalid_file", "There is no document in it")
  return documents
}

/** What is wrong with metadata; null if nothing is. */
export function metadataProblem(metadata: unknown): string | null {
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))
    return 'expected "metadata" to be an object'
  const entries = Object.entries(metadata)
  if (entries.length > MOST_METADATA.values) return `expected at most ${MOST_METADATA.values} values of "metadata"`
  for (const [key, value] of entries) {
    if (key.length > MOST_METADATA.key) return `expected keys of "metadata" of at most ${MOST_METADATA.key} characters`
    const plain =
      typeof value === "boolean" ||
      (typeof value === "number" && Number.isFinite(value)) ||
      (typeof value === "string" && value.length <= MOST_METADATA.text)
    if (!plain)
      return `expected "metadata.${key}" to be a number, true, false, or a text of at most ${MOST_METADATA.text} characters`
  }
  return null
}

/** A title for what has none. */
export const firstWords = (text: string): string => {
  const line = text.trim().split("\n")[0]!
  return line.length <= 60 ? line : `${line.slice(0, 57).replace(/\s+\S*$/, "")}...`
}
