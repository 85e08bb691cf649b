/**
 * @module A data file is looked through on creation, and the line at fault is named.
 */
import { describe, expect, test } from "bun:test"
import { encodeUtf8 } from "../../../src/core/bytes.ts"
import { checkDataFile } from "../../../src/data/check-file.ts"
import { rowOf } from "../../support/job-store.ts"

/** Checks a text that comes in pieces of so many bytes. */
const check = (text: string, pieceBytes = 7, name = "data.jsonl"): Promise<number> => {
  const bytes = encodeUtf8(text)
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  return checkDataFile(name, pieces(), async () => {})
}
const good = rowOf("Why ☀?", "Because")

describe("checkDataFile()", () => {
  test("counts the rows, however the file is cut into pieces", async () => {
    for (const pieceBytes of [1, 2, 3, 50, 10_000]) {
      expect(await check(good.repeat(3), pieceBytes)).toBe(3)
      expect(await check(`\n${good}\n${good.trimEnd()}`, pieceBytes)).toBe(2)
      expect(await check(`\uFEFF${good}`, Math.max(3, pieceBytes))).toBe(1)
    }
  })

  test("names the line that is no row, in whichever piece it lies", async () => {
    for (const pieceBytes of [1, 13, 10_000]) {
      const bad = check(`${good}\n${good}{"messages": 3}\n${good}`, pieceBytes)
      await expect(bad).rejects.toMatchObject({ code: "invalid_file", param: "file" })
      await expect(bad).rejects.toThrow(/^data\.jsonl, line 4: /)
      await expect(check(`${good}{"mess`, pieceBytes)).rejects.toThrow(/line 2: Not valid JSON/)
    }
  })

  test("names the first five of many, and looks no further", async () => {
    const bad = check("{}\n".repeat(500), 30)
    await expect(bad).rejects.toThrow(/line 1: .*line 5: /)
    await expect(bad).rejects.not.toThrow(/line 6:/)
  })

  test("refuses a file without rows and a line without end", async () => {
    await expect(check("\n\n")).rejects.toThrow("data.jsonl has no row")
    await expect(check("")).rejects.toThrow("data.jsonl has no row")
    await expect(check(`${good}{"text": "${"x".repeat(5 * 2 ** 20)}`, 2 ** 18)).rejects.toThrow(/line 2: Row is longer/)
  })

  test("reads JSON arrays and CSV as a whole", async () => {
    expect(await check(`[${good},\n${good}]`, 11)).toBe(2)
    expect(await check("prompt,completion\na,b\nc,d\n", 5, "data.csv")).toBe(2)
    await expect(check(`[${good},\n{"a": 1}]`, 11)).rejects.toThrow(/line \d+: /)
  })
})
