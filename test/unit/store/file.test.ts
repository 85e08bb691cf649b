import { describe, expect, test } from "bun:test"
import { readAt, writeAt } from "../../../src/store/file.ts"

/** A file in memory whose calls move at most `piece` bytes, as a system may do. */
function shortFile(content: Uint8Array, piece: number) {
  return {
    async read(into: Uint8Array, offset: number, length: number, position: number) {
      const part = content.subarray(position, position + Math.min(piece, length))
      into.set(part, offset)
      return { bytesRead: part.length }
    },
    async write(from: Uint8Array, offset: number, length: number, position: number) {
      const part = from.subarray(offset, offset + Math.min(piece, length, content.length - position))
      content.set(part, position)
      return { bytesWritten: part.length }
    },
  }
}

describe("writeAt()", () => {
  test("writes everything where each call takes a part", async () => {
    const content = new Uint8Array(12)
    await writeAt(shortFile(content, 3), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2)
    expect([...content]).toEqual([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0])
  })

  test("fails where nothing more is taken, rather than leaving a hole", async () => {
    await expect(writeAt(shortFile(new Uint8Array(4), 3), new Uint8Array(6), 0)).rejects.toThrow("Wrote 4 of 6 bytes")
  })
})

describe("readAt()", () => {
  test("reads everything where each call gives a part", async () => {
    const into = new Uint8Array(5)
    expect(await readAt(shortFile(Uint8Array.of(0, 1, 2, 3, 4, 5, 6), 2), into, 1)).toBe(5)
    expect([...into]).toEqual([1, 2, 3, 4, 5])
  })

  test("says how much there was where the file ends before", async () => {
    expect(await readAt(shortFile(Uint8Array.of(1, 2, 3), 2), new Uint8Array(9), 1)).toBe(2)
  })
})
