import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { isEspalierError } from "../../../src/core/errors.ts"
import { formatOf, type ReadOptions, readRows } from "../../../src/data/read.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const read = (text: string, name = "a.jsonl", options: ReadOptions = {}) => readRows(name, bytesOf(text), options)
const BOM = "\ufeff"

describe("formatOf()", () => {
  test("goes by the ending for CSV and by the first character for JSON", () => {
    expect(formatOf("a.csv", bytesOf("[1]"))).toBe("csv")
    expect(formatOf("a.TSV", bytesOf(""))).toBe("csv")
    expect(formatOf("a.json", bytesOf(`${BOM} \n[{}]`))).toBe("json")
    expect(formatOf("a.json", bytesOf('{"a":1}'))).toBe("jsonl")
    expect(formatOf("a", bytesOf(""))).toBe("jsonl")
  })
})

describe("readRows() of JSONL", () => {
  test("reads rows with their lines through a mark, CRLF, blank lines and a last line without newline", () => {
    const { rows, skipped, format } = read(`${BOM}{"a":1}\r\n\r\n  \n{"a":2}\n{"a":"ä\u2028b"}`)
    expect(format).toBe("jsonl")
    expect(skipped).toEqual([])
    expect(rows).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 4, value: { a: 2 } },
      { line: 5, value: { a: "ä\u2028b" } },
    ])
  })

  test("reports each broken line by number and reason, and uses the others", () => {
    const { rows, skipped } = read('{"a":1}\n{"a":\n[1]\nnull\n7\n"x"\n{"a":2}\n')
    expect(rows.map(({ line }) => line)).toEqual([1, 7])
    expect(skipped.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6])
    expect(skipped[0]!.reason).toStartWith("Not valid JSON (")
    expect(skipped.slice(1).map(({ reason }) => reason)).toEqual([
      "Expected a JSON object but found an array",
      "Expected a JSON object but found null",
      "Expected a JSON object but found a number",
      "Expected a JSON object but found a string",
    ])
  })

  test("reports a line that is not UTF-8", () => {
    const bytes = Uint8Array.of(...bytesOf('{"a":"'), 0xff, ...bytesOf('"}\n{"a":1}'))
    const { rows, skipped } = readRows("a.jsonl", bytes)
    expect(skipped).toEqual([{ line: 1, reason: "Not valid UTF-8" }])
    expect(rows).toEqual([{ line: 2, value: { a: 1 } }])
  })

  test("skips a line over the cap without parsing it", () => {
    const { rows, skipped } = read(`{"a":"${"x".repeat(100)}"}\n{"a":1}`, "a.jsonl", { maxRowBytes: 50 })
    expect(skipped).toEqual([{ line: 1, reason: "Row of 108 bytes is longer than the 50 allowed" }])
    expect(rows.length).toBe(1)
  })

  test("drops keys named __proto__, however they are spelled and wherever they stand", () => {
    const { rows } = read('{"__proto__":{"a":1},"b":{"\\u005f_proto__":{"polluted":true},"c":1}}')
    const [row] = rows
    expect(Object.keys(row!.value)).toEqual(["b"])
    expect(row!.value).toEqual({ b: { c: 1 } })
    expect(({ ...row!.value } as { a?: number }).a).toBeUndefined()
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test("skips a row nested 200,000 deep", () => {
    const deep = `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`
    const { rows, skipped } = read(`${deep}\n{"a":1}`)
    expect(rows.map(({ line }) => line)).toEqual([2])
    // JSON.parse of some runtimes gives up first.
    expect(skipped[0]!.reason).toMatch(/^(Nested more than 100 levels deep|Not valid JSON)/)
  })

  test("refuses UTF-16 by name", () => {
    const check = () => readRows("a.jsonl", Uint8Array.of(0xff, 0xfe, 0x7b, 0))
    expect(check).toThrow("Expected a.jsonl to be UTF-8 but found UTF-16")
  })

  test("reads an empty file as no rows", () => {
    expect(read("")).toEqual({ format: "jsonl", rows: [], skipped: [] })
    expect(read(BOM).rows).toEqual([])
  })
})

describe("readRows() of a JSON array", () => {
  test("reads rows with the lines they start on", () => {
    const { rows, skipped, format } = read('[\n  {"a": "],{"},\n\n  {"a":\n    [1, {"b": "\\""}]},  {"a": 3}\n]\n')
    expect(format).toBe("json")
    expect(skipped).toEqual([])
    expect(rows).toEqual([
      { line: 2, value: { a: "],{" } },
      { line: 4, value: { a: [1, { b: '"' }] } },
      { line: 5, value: { a: 3 } },
    ])
  })

  test("uses what is whole in a file that ends too soon", () => {
    const { rows, skipped } = read('[{"a":1},\n{"a":2},\n{"a":')
    expect(rows.map(({ value }) => value)).toEqual([{ a: 1 }, { a: 2 }])
    expect(skipped).toEqual([{ line: 3, reason: "The array ends before its closing ]" }])
  })

  test("reports elements that are no objects, and text after the end", () => {
    const { rows, skipped } = read('[{"a":1},\n7,\n{oops}]\nmore')
    expect(rows.length).toBe(1)
    expect(skipped.map(({ line }) => line)).toEqual([2, 3, 4])
    expect(skipped[2]!.reason).toBe("Text follows the end of the array")
  })

  test("reads an empty array", () => {
    expect(read("[]")).toEqual({ format: "json", rows: [], skipped: [] })
  })
})

describe("readRows() of CSV", () => {
  const csv = (text: string, options: ReadOptions = {}) => read(text, "a.csv", options)

  test("reads quoted fields with delimiters, newlines and doubled quotes, and the lines rows start on", () => {
    const { rows, skipped } = csv(`${BOM}prompt,completion\r\n"a, ""b""\nc",d\r\n\r\ne,"f"\r\ng,`)
    expect(skipped).toEqual([])
    expect(rows).toEqual([
      { line: 2, value: { prompt: 'a, "b"\nc', completion: "d" } },
      { line: 5, value: { prompt: "e", completion: "f" } },
      { line: 6, value: { prompt: "g", completion: "" } },
    ])
  })

  test("finds semicolons and tabs by the header", () => {
    expect(csv("prompt;completion\na,b;c").rows[0]!.value).toEqual({ prompt: "a,b", completion: "c" })
    expect(csv("prompt\tcompletion\na,b\tc;d").rows[0]!.value).toEqual({ prompt: "a,b", completion: "c;d" })
  })

  test("reports rows of another width, stray quotes and long rows, and goes on", () => {
    const { rows, skipped } = csv(`a,b\n1\n"x"y,2\n1,2,3\n${"x".repeat(60)},2\n3,4\n5,"never closed\n6,7`, {
      maxRowBytes: 50,
    })
    expect(rows.map(({ line, value }) => [line, value])).toEqual([
      [6, { a: "3", b: "4" }],
      [8, { a: "6", b: "7" }],
    ])
    expect(skipped).toEqual([
      { line: 2, reason: "Expected 2 fields as in the header but found 1" },
      { line: 3, reason: "Text follows a closing quote" },
      { line: 4, reason: "Expected 2 fields as in the header but found 3" },
      { line: 5, reason: "Row of 62 bytes is longer than the 50 allowed" },
      { line: 7, reason: "A quote that opens here is never closed" },
    ])
  })

  test("reports a row that is not UTF-8", () => {
    const { rows, skipped } = readRows("a.csv", Uint8Array.of(...bytesOf("a\nx"), 0xff, ...bytesOf("\ny\n")))
    expect(skipped).toEqual([{ line: 2, reason: "Not valid UTF-8" }])
    expect(rows.length).toBe(1)
  })

  test("refuses a header that names a column twice", () => {
    expect(() => csv("a,a\n1,2")).toThrow(
      'Expected the first line of a.csv to name its columns but found column "a" twice',
    )
  })

  test("a column named __proto__ stays a field", () => {
    const [row] = csv("__proto__,a\n1,2").rows
    expect(Object.getPrototypeOf(row!.value)).toBe(Object.prototype)
    expect(row!.value["a"]).toBe("2")
  })

  test("reads back what RFC 4180 writes", () => {
    const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`
    const field = fc.string({ unit: fc.constantFrom("a", '"', ",", ";", "\n", "\r", " ") })
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { maxLength: 5 }), (records) => {
        const text = `a,b\n${records.map((record) => record.map(quoted).join(",")).join("\r\n")}`
        expect(csv(text).rows.map(({ value }) => [value["a"], value["b"]])).toEqual(records)
      }),
      { numRuns: 200 },
    )
  })
})

test("readRows() never fails in another way than by a reason, whatever the bytes", () => {
  const names = fc.constantFrom("a.jsonl", "a.csv", "a.json")
  const text = fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', ",", ":", "\n", "\\", "1", "\r", "a") })
  fc.assert(
    fc.property(names, fc.oneof(fc.uint8Array({ maxLength: 40 }), text.map(bytesOf)), (name, bytes) => {
      try {
        const { rows, skipped } = readRows(name, bytes)
        for (const { line } of [...rows, ...skipped]) expect(line).toBeGreaterThanOrEqual(1)
      } catch (error) {
        if (!isEspalierError(error, "invalid_file")) throw error
      }
    }),
    { numRuns: 1000 },
  )
})
