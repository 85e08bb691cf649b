import { describe, expect, test } from "bun:test"
import { encodeUtf8 } from "../../../../src/core/bytes.ts"
import { formatOfName, readDocuments } from "../../../../src/rag/readers/read.ts"
import { pdf } from "../../../support/pdf.ts"

const read = (name: string, text: string) => readDocuments(encodeUtf8(text), { name })
const textOf = async (name: string, text: string): Promise<string> => (await read(name, text))[0]!.text

describe("documents out of files", () => {
  test("Markdown loses its marks and keeps its headings", async () => {
    const markdown =
      "# Of *Tal*\n\nA **town** by the [Ost](https://x.example/a_b) &amp; more.\n\n- one `code`\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## North\n```js\nlet x = 1\n```\n> said\n"
    const [document] = await read("notes/tal.md", markdown)
    expect(document!.title).toBe("Of Tal")
    expect(document!.text).toBe(
      "# Of Tal\n\nA town by the Ost & more.\n\n- one code\n- two\n\na | b\n1 | 2\n\n## North\n\nlet x = 1\n\nsaid",
    )
  })

  test("HTML is its article, with headings, without menus and scripts", async () => {
    const words = "The town of Tal lies by the river Ost, and many people go there in summer to swim. ".repeat(12)
    const html = `<!doctype html><html><head><title>Tal</title><style>p{}</style></head><body>
      <nav><a href="/">Home</a><a href="/x">Buy now</a></nav>
      <article><h1>Tal</h1><p>${words}</p><h2>People</h2><p>Its mayor is <b>Mira</b> Voss.</p><ul><li>one</li><li>two</li></ul><p>${words}</p></article>
      <script>steal()</script></body></html>`
    const [document] = await read("tal.html", html)
    expect(document!.title).toBe("Tal")
    expect(document!.text).toContain("## People\n\nIts mayor is Mira Voss.\n\n- one\n- two")
    expect(document!.text).not.toMatch(/Buy now|steal|p\{\}/)
  })

  test("a short page is read whole", async () => {
    expect(await textOf("a.htm", "<p>Its mayor is Mira.</p><p>Second.</p>")).toBe("Its mayor is Mira.\n\nSecond.")
  })

  test("a PDF has its text and its title", async () => {
    const [document] = await readDocuments(pdf("The mayor of Tal is Mira Voss."), { name: "a.pdf", id: "a" })
    expect(document).toEqual({ id: "a", title: "Of towns", text: "The mayor of Tal is Mira Voss.", metadata: {} })
    // As files are read.
    const file = Buffer.from(pdf("The mayor of Tal is Mira Voss."))
    expect(await readDocuments(file, { name: "a.pdf", id: "a" })).toEqual([document!])
    expect(file.length).toBeGreaterThan(500)
  })

  test("what is no PDF is said to be none", async () => {
    await expect(read("a.pdf", "hello")).rejects.toThrow("This is no PDF that can be read")
  })

  test("PDFs that are cut off, circular or empty are refused, and never an error of the server's own", async () => {
    const whole = pdf("words")
    const objects = "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages"
    const wrong = [
      ...[100, 300, 500].map((length) => whole.slice(0, length)),
      encodeUtf8(`%PDF-1.4\n${objects} /Kids [2 0 R] /Count 1 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n`),
      encodeUtf8(`%PDF-1.4\n${objects} /Kids [] /Count 1000000000 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n`),
      Uint8Array.from({ length: 5000 }, (_, i) => (i < 5 ? "%PDF-".charCodeAt(i) : (i * 7919) & 255)),
    ]
    for (const bytes of wrong)
      expect(await readDocuments(bytes, { name: "a.pdf" }).catch((error: unknown) => error)).toMatchObject({
        code: "invalid_file",
      })
  })

  test("pages that no parser could take apart in time keep their words", async () => {
    const deep = `<title>Of &amp; on</title><!-- <b> --><script>let x = "<div>"</script>${"<div>".repeat(5000)}Mira &lt; Otto<br>here`
    const [document] = await read("deep.html", deep)
    expect(document).toMatchObject({ title: "Of & on", text: "Of & on Mira < Otto here" })
    expect(await textOf("signs.html", `${"<".repeat(2000)}<p>words</p>`)).toBe(`${"<".repeat(2000)} words`)
    expect(await textOf("icons.html", '<svg><path d="a"/></svg><p>words</p>'.repeat(200))).toStartWith("words")
    expect(await textOf("wide.html", "<p>words</p>".repeat(10_001))).toStartWith("words\n\nwords")
    expect(await textOf("open.html", `<ul>${"<li>one".repeat(300)}</ul><p>two`)).toStartWith("- one\n- one")
    for (const none of ["<a".repeat(1000), "<!--".repeat(1000), "<script>".repeat(1000), `${"<div>".repeat(500)}`])
      await expect(read("a.html", none)).rejects.toThrow("There is no text in a.html")
  })

  test("a paragraph of Markdown that would take too long keeps its marks", async () => {
    const long = "a_".repeat(40_000)
    expect(await textOf("a.md", `# *Of*\n\n${long}`)).toBe(`# *Of*\n\n${long}`)
    expect(await textOf("a.md", `# *Of*\n\n${"> ".repeat(500)}x`)).toBe("# Of\n\nx")
  })

  test("JSON lines are many documents", async () => {
    const lines = ['{"text":"One two.","title":"A","id":"a","metadata":{"year":3}}', "", '{"text":"Three."}']
    expect(await read("x.jsonl", lines.join("\n"))).toEqual([
      { id: "a", title: "A", text: "One two.", metadata: { year: 3 } },
      { title: "Three.", text: "Three.", metadata: {} },
    ])
  })

  test("a wrong line is named", async () => {
    const wrong: readonly (readonly [string, string])[] = [
      ["{", "Line 2: expected a JSON object"],
      ["null", 'Line 2: expected a "text"'],
      ['{"text":" "}', 'Line 2: expected a "text"'],
      ['{"text":"a","id":""}', 'Line 2: expected "id"'],
      ['{"text":"a","metadata":{"a":[1]}}', 'Line 2: expected "metadata.a" to be'],
      ['{"text":"a","metadata":[]}', 'Line 2: expected "metadata" to be an object'],
    ]
    for (const [line, message] of wrong) await expect(read("x.jsonl", `{"text":"a"}\n${line}`)).rejects.toThrow(message)
  })

  test("bytes that are no text, files of no kind and empty ones are refused by name", async () => {
    await expect(readDocuments(Uint8Array.of(0xff, 0xfe, 0x41), { name: "a.txt" })).rejects.toThrow(
      "a.txt is not valid UTF-8",
    )
    await expect(read("a.exe", "x")).rejects.toThrow('"a.exe" is of no kind that can be read')
    await expect(read("a.txt", " \n")).rejects.toThrow("There is no text in a.txt")
    expect([formatOfName("A.MD"), formatOfName("x"), formatOfName("dir.md/x")]).toEqual(["markdown", null, null])
  })
})
