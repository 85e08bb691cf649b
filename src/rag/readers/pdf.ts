/**
 * @module The text of a PDF. Scanned pages hold none.
 */
import { EspalierError, messageOf } from "../../core/errors.ts"
import type { ReadPage } from "./page.ts"

/** Reads a PDF. Its parser is loaded when first needed. @throws {EspalierError} `invalid_file` */
export async function readPdf(bytes: Uint8Array): Promise<ReadPage> {
  const { extractText, getDocumentProxy, getMeta } = await import("unpdf")
  try {
    // The parser takes the buffer away from whoever gives it, and refuses Node's own kind of bytes, whose slice is no copy.
    const document = await getDocumentProxy(new Uint8Array(bytes), { verbosity: 0 })
    const { text } = await extractText(document, { mergePages: false })
    const { info } = await getMeta(document)
    const title = (info as Readonly<Record<string, unknown>>)["Title"]
    return {
      title: typeof title === "string" ? title.trim() : "",
      text: text
        .map((page) => page.trim())
        .filter((page) => page !== "")
        .join("\n\n"),
    }
  } catch (cause) {
    throw new EspalierError("invalid_file", `This is no PDF that can be read: ${messageOf(cause)}`, { cause })
  }
}
