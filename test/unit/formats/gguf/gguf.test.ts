import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { bytesOf } from "../../../../src/core/bytes.ts"
import { f32 } from "../../../../src/core/tensor.ts"
import type { GgufContent, GgufValue } from "../../../../src/formats/gguf/content.ts"
import { decodeGguf } from "../../../../src/formats/gguf/decode.ts"
import { readGguf, readGgufHeader } from "../../../../src/formats/gguf/read.ts"
import { ggufTensor, writeGguf } from "../../../../src/formats/gguf/write.ts"

/** Written by Python's gguf 0.19.0: see make.py beside it. */
const bytes = new Uint8Array(readFileSync(join(import.meta.dir, "../../../fixtures/gguf/types.gguf")))
const file = readGguf(bytes, "types.gguf")

describe("a file of the reference's", () => {
  test("gives every type of metadata", () => {
    const found = Object.fromEntries([...file.metadata].map(([key, { value }]) => [key, value]))
    expect(found).toEqual({
      "general.architecture": "llama",
      "t.u8": 250,
      "t.i8": -5,
      "t.u16": 65535,
      "t.i16": -32768,
      "t.u32": 4294967295,
      "t.i32": -2147483648,
      "t.u64": 2n ** 63n + 1n,
      "t.i64": -(2n ** 62n),
      "t.f32": Math.fround(0.1),
      "t.f64": 0.1,
      "t.bool": true,
      "t.string": "Grüße 🙂",
      "t.strings": ["a", "", "ü"],
      "t.numbers": [1, -2, 3],
      "t.floats": [0.5, -0.25],
    })
  })

  for (const type of ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]) {
    test(`gives ${type} as the numbers that the reference reads`, () => {
      const tensor = file.tensors.get(type)!
      const expected = decodeGguf(file.tensors.get(`${type}.numbers`)!)
      expect(tensor.type as string).toBe(type)
      expect(decodeGguf(tensor)).toEqual(expected)
      expect(expected.some((x) => x !== 0)).toBe(true)
    })
  }

  test("is written again as the same bytes", () => {
    expect(Buffer.from(writeGguf(file)).equals(Buffer.from(bytes))).toBe(true)
  })

  test("is read in pieces as in one", async () => {
    const read = async (start: number, end: number) => bytes.subarray(start, Math.min(end, 200 + start))
    const header = await readGgufHeader({ name: "x", size: bytes.length, read: async (a, b) => bytes.subarray(a, b) })
    expect([...header.tensors.keys()]).toEqual([...file.tensors.keys()])
    await expect(readGgufHeader({ name: "x", size: bytes.length, read })).rejects.toThrow(
      "before its tensors are named",
    )
  })
})

describe("what is written", () => {
  test("is read back, with arrays in arrays and an alignment of its own", () => {
    const metadata = new Map<string, GgufValue>([
      ["general.alignment", { type: "u32", value: 64 }],
      [
        "nested",
        {
          type: "array",
          of: "array",
          value: [
            { type: "array", of: "u8", value: [1, 2] },
            { type: "array", of: "string", value: [] },
          ],
        },
      ],
    ])
    const tensors = new Map([
      ["a", ggufTensor(f32([3], [1, 2, 3]))],
      ["b", ggufTensor(f32([1, 2], [0.5, -1]), "F16")],
      ["c", ggufTensor(f32([], [7]), "BF16")],
    ])
    const written = writeGguf({ metadata, tensors })
    const back = readGguf(written, "x")
    expect(back.metadata).toEqual(metadata)
    expect([...back.tensors].map(([name, tensor]) => [name, tensor.shape, [...decodeGguf(tensor)]])).toEqual([
      ["a", [3], [1, 2, 3]],
      ["b", [1, 2], [0.5, -1]],
      ["c", [], [7]],
    ])
    expect(back.tensors.get("b")!.bytes.byteOffset % 64).toBe(0)
  })

  test("must fit its types", () => {
    const content = (metadata: [string, GgufValue][], tensors: GgufContent["tensors"] = new Map()) => ({
      metadata: new Map(metadata),
      tensors,
    })
    expect(() => writeGguf(content([["k", { type: "u8", value: 256 }]]))).toThrow("0 to 255")
    expect(() => writeGguf(content([["k", { type: "i64", value: 2n ** 63n }]]))).toThrow("whole number")
    expect(() => writeGguf(content([["general.alignment", { type: "u32", value: 24 }]]))).toThrow("power of two")
    const short = new Map([["w", { type: "Q8_0", shape: [2, 32], bytes: new Uint8Array(34) } as const]])
    expect(() => writeGguf(content([], short))).toThrow("wants 68 bytes but found 34")
  })
})

describe("a file that is not right", () => {
  const changed = (at: number, value: bigint | number): Uint8Array => {
    const copy = bytes.slice()
    const view = new DataView(copy.buffer)
    if (typeof value === "bigint") view.setBigUint64(at, value, true)
    else view.setUint32(at, value, true)
    return copy
  }

  test("is refused for its magic, its version and its counts", () => {
    expect(() => readGguf(changed(0, 1), "x")).toThrow("no GGUF file")
    expect(() => readGguf(changed(4, 0x03000000), "x")).toThrow("version")
    expect(() => readGguf(changed(8, 2n ** 40n), "x")).toThrow("tensors, more than")
    expect(() => readGguf(changed(16, 2n ** 63n), "x")).toThrow("keys, more than")
    expect(() => readGguf(changed(24, 2n ** 50n), "x")).toThrow("bytes of a text")
  })

  test("is refused when it is cut off anywhere", () => {
    for (const part of [0.01, 0.1, 0.3, 0.6, 0.99])
      expect(() => readGguf(bytes.subarray(0, Math.floor(bytes.length * part)), "x")).toThrow(/^x: /)
  })

  test("never brings down the reader, whatever four bytes of it are changed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }), (at, value) => {
        try {
          for (const [, tensor] of readGguf(changed(at, value), "x").tensors)
            expect(bytesOf(tensor.bytes).length).toBeGreaterThanOrEqual(0)
        } catch (error) {
          expect((error as Error).name).toBe("EspalierError")
        }
      }),
      { numRuns: 300, seed: 1 },
    )
  })
})
