/**
 * @module Forms that arrive in pieces of any size.
 */
import { describe, expect, test } from "bun:test"
import { readMultipart } from "../../../routes/multipart.ts"
import { decodeUtf8, encodeUtf8 } from "../../../src/core/bytes.ts"

const type = "multipart/form-data; boundary=XyZ"

function request(body: string | Uint8Array, pieceBytes = 5, contentType = type): Request {
  const bytes = typeof body === "string" ? encodeUtf8(body) : body
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += pieceBytes) controller.enqueue(bytes.slice(at, at + pieceBytes))
      controller.close()
    },
  })
  return new Request("http://localhost/v1/files", {
    method: "POST",
    body: stream,
    headers: { "content-type": contentType },
    duplex: "half",
  } as RequestInit)
}

interface Part {
  readonly name: string
  readonly filename: string | null
  readonly text: string
}

async function partsOf(given: Request): Promise<Part[]> {
  const parts: Part[] = []
  for await (const { name, filename, chunks } of readMultipart(given)) {
    let text = ""
    for await (const chunk of chunks) text += decodeUtf8(chunk)
    parts.push({ name, filename, text })
  }
  return parts
}

const part = (disposition: string, text: string): string =>
  `--XyZ\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: text/plain\r\n\r\n${text}\r\n`

describe("readMultipart()", () => {
  test("gives fields and files with their bytes, however the body is cut", async () => {
    const tricky = "a\r\n--XyY\r\n--Xy\r\n\r\n-- "
    const body = `${part('name="purpose"', "fine-tune")}${part('name="file"; filename="a \\"b\\".jsonl"', tricky)}--XyZ--\r\n`
    for (const pieceBytes of [1, 2, 3, 7, 64, 10_000]) {
      expect(await partsOf(request(body, pieceBytes))).toEqual([
        { name: "purpose", filename: null, text: "fine-tune" },
        { name: "file", filename: 'a "b".jsonl', text: tricky },
      ])
    }
  })

  test("reads what FormData writes", async () => {
    const form = new FormData()
    form.set("purpose", "fine-tune")
    form.set("file", new File(["x\r\n".repeat(10_000)], 'naïve "q".jsonl'))
    const [purpose, file] = await partsOf(new Request("http://localhost/", { method: "POST", body: form }))
    expect(purpose).toEqual({ name: "purpose", filename: null, text: "fine-tune" })
    expect(file).toEqual({ name: "file", filename: 'naïve "q".jsonl', text: "x\r\n".repeat(10_000) })
  })

  test("goes on with the next part when one was left unread", async () => {
    const body = `${part('name="a"', "x".repeat(999))}${part('name="b"', "y")}--XyZ--`
    const names: string[] = []
    for await (const { name } of readMultipart(request(body))) names.push(name)
    expect(names).toEqual(["a", "b"])
  })

  const broken: readonly (readonly [name: string, body: string, cause: RegExp])[] = [
    ["no closing boundary", part('name="a"', "x"), /closing boundary/],
    ["cut in a part", part('name="a"', "xyz").slice(0, -4), /closing boundary/],
    ["no boundary at all", "hello", /closing boundary/],
    ["much before the first boundary", "x".repeat(20_000), /where the first was expected/],
    ["text after a boundary", "--XyZxx\r\n\r\n--XyZ--", /followed by other text/],
    ["a part without a name", `${part("", "x")}--XyZ--`, /no name/],
    ["a part without headers", "--XyZ\r\n\r\nx\r\n--XyZ--", /no name/],
    ["endless headers", `--XyZ\r\nA: ${"x".repeat(20_000)}`, /headers are too long/],
    ["many parts", `${part('name="a"', "x").repeat(40)}--XyZ--`, /at most 32 parts/],
    ["an empty body", "", /closing boundary/],
  ]
  for (const [name, body, cause] of broken) {
    test(`refuses ${name}`, async () => {
      for (const pieceBytes of [1, 4096]) {
        const failure = partsOf(request(body, pieceBytes))
        await expect(failure).rejects.toMatchObject({ code: "invalid_request" })
        await expect(failure).rejects.toThrow(cause)
      }
    })
  }

  test("refuses another content type and one without a boundary", async () => {
    for (const contentType of ["application/json", "multipart/form-data", "multipart/mixed; boundary=XyZ"]) {
      await expect(partsOf(request("x", 1, contentType))).rejects.toMatchObject({ status: 415 })
    }
  })
})
