import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { EspalierError, isEspalierError } from "../../../src/core/errors.ts"
import { f32, i64, type Tensor } from "../../../src/core/tensor.ts"
import { ADAPTER_LIMITS, readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.ts"

/** A file from a header as text and bytes of data. */
function file(
  header: string,
  data = new Uint8Array(0),
  length = BigInt(new TextEncoder().encode(header).length),
): Uint8Array {
  const json = new TextEncoder().encode(header)
  const out = new Uint8Array(8 + json.length + data.length)
  new DataView(out.buffer).setBigUint64(0, length, true)
  out.set(json, 8)
  out.set(data, 8 + json.length)
  return out
}

const entry = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets })

describe("readSafetensors() refuses, naming the file", () => {
  const bad: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
    ["an empty file", new Uint8Array(0), /at least 10 bytes but found 0/],
    ["a header length of 0", file("{}", undefined, 0n), /header of at least 2 bytes but found 0/],
    ["a header length beyond the file", file("{}", undefined, 4000n), /truncated or no safetensors/],
    ["a header length of 2^63", file("{}", undefined, 2n ** 63n), /header of at most/],
    [
      "a header over the adapter limit",
      file(`{"__metadata__":{"a":"${"x".repeat(2 ** 20)}"}}`),
      /header of at most 1048576 bytes/,
    ],
    ["a header that begins otherwise", file("[1]"), /begin with \{/],
    ["a header cut in a text", file('{"a'), /ends inside a text/],
    ["nesting as a bomb", file(`{"a":${"[".repeat(5000)}`), /nested deeper/],
    [
      "a key that comes twice",
      file(`{"a":${entry("F32", [1], [0, 4])},"a":${entry("F32", [1], [0, 4])}}`, new Uint8Array(4)),
      /"a" comes twice/,
    ],
    ["an unknown dtype", file(`{"a":${entry("F8", [1], [0, 1])}}`, new Uint8Array(1)), /tensor a has dtype "F8"/],
    [
      "a dtype of the prototype",
      file(`{"a":${entry("constructor", [1], [0, 1])}}`, new Uint8Array(1)),
      /tensor a has dtype/,
    ],
    ["a negative size", file(`{"a":${entry("F32", [-1], [0, 4])}}`, new Uint8Array(4)), /tensor a has no right shape/],
    [
      "a size that is no number",
      file(`{"a":${entry("F32", ["1"], [0, 4])}}`, new Uint8Array(4)),
      /tensor a has no right shape/,
    ],
    [
      "sizes whose product overflows",
      file(`{"a":${entry("F32", [2 ** 40, 2 ** 40], [0, 4])}}`, new Uint8Array(4)),
      /too large/,
    ],
    ["bytes that don't fit the shape", file(`{"a":${entry("F32", [2], [0, 4])}}`, new Uint8Array(4)), /wants 8 bytes/],
    ["offsets that aren't two", file(`{"a":${entry("F32", [1], [0])}}`, new Uint8Array(4)), /no right data_offsets/],
    ["a hole", file(`{"a":${entry("F32", [1], [4, 8])}}`, new Uint8Array(8)), /overlap or leave a hole/],
    [
      "an overlap",
      file(`{"a":${entry("F32", [1], [0, 4])},"b":${entry("F32", [1], [2, 6])}}`, new Uint8Array(6)),
      /overlap or leave a hole/,
    ],
    ["bytes too many", file(`{"a":${entry("F32", [1], [0, 4])}}`, new Uint8Array(9)), /has bytes too many/],
    ["bytes too few", file(`{"a":${entry("F32", [1], [0, 4])}}`, new Uint8Array(3)), /truncated/],
    ["metadata that is no text", file('{"__metadata__":{"a":1}}'), /__metadata__ "a" is not a text/],
    ["metadata that is a text", file('{"__metadata__":"abc"}'), /expected __metadata__ to be an object/],
    ["metadata that is a list", file('{"__metadata__":["a"]}'), /expected __metadata__ to be an object/],
    [
      "a name with a control character",
      file(`{"a\\u001b[2J":${entry("F32", [1], [0, 4])}}`, new Uint8Array(4)),
      /a name that/,
    ],
    [
      "a name with half a character",
      file(`{"a\\ud800":${entry("F32", [1], [0, 4])}}`, new Uint8Array(4)),
      /a name that/,
    ],
    [
      "a name without end",
      file(`{"${"n".repeat(513)}":${entry("F32", [1], [0, 4])}}`, new Uint8Array(4)),
      /a name that/,
    ],
    ["a header that is no UTF-8", file("{}").map((byte, i) => (i === 9 ? 0xff : byte)), /utf-8/i],
  ]
  for (const [name, bytes, message] of bad) {
    test(name, () => {
      const read = () => readSafetensors(bytes, "adapter.safetensors", ADAPTER_LIMITS)
      expect(read).toThrow(message)
      expect(read).toThrow(/^adapter\.safetensors/)
      expect(read).toThrow(EspalierError)
    })
  }

  test("every truncation of a good file", () => {
    const whole = writeSafetensors(
      new Map<string, Tensor>([
        ["a", f32([2, 3], [1, 2, 3, 4, 5, 6])],
        ["b", i64([2], [7, 8])],
      ]),
    )
    for (let length = 0; length < whole.length; length++) {
      expect(() => readSafetensors(whole.slice(0, length), "cut")).toThrow(EspalierError)
    }
  })
})

test("readSafetensors() keeps its messages short, however long the value at fault", () => {
  const long = [entry("F".repeat(90_000), [1], [0, 4]), entry("F32", "x".repeat(90_000), [0, 4])]
  for (const value of [...long, entry("F32", [1], Array(30_000).fill(0))]) {
    let message = ""
    try {
      readSafetensors(file(`{"a":${value}}`, new Uint8Array(4)), "x", ADAPTER_LIMITS)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toMatch(/^x: tensor a has/)
    expect(message.length).toBeLessThan(250)
  }
})

test("readSafetensors() keeps a tensor called __proto__ to itself", () => {
  const bytes = file(`{"__proto__":${entry("F32", [1], [0, 4])}}`, new Uint8Array(4))
  expect([...readSafetensors(bytes, "x").keys()]).toEqual(["__proto__"])
  expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined()
})

test("writeSafetensors() writes the bytes that Python's safetensors 0.8.0 writes", () => {
  const bytes = writeSafetensors(
    new Map<string, Tensor>([
      ["u", { dtype: "u8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ["f", f32([2], [1, 2])],
      ["bo", { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) }],
      ["i", { dtype: "i32", shape: [1], data: Int32Array.of(3) }],
      ["h", { dtype: "f16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) }],
      ["s", f32([], [7])],
      ["bf", { dtype: "bf16", shape: [2], data: Uint16Array.of(0x3f80, 0x4000) }],
      ["i8", { dtype: "i8", shape: [1], data: Int8Array.of(-1) }],
      ["l", i64([1], [9])],
      ["e", f32([0, 3], [])],
    ]),
  )
  const rows: readonly (readonly [string, string, readonly number[], number, number])[] = [
    ["l", "I64", [1], 0, 8],
    ["e", "F32", [0, 3], 8, 8],
    ["f", "F32", [2], 8, 16],
    ["s", "F32", [], 16, 20],
    ["i", "I32", [1], 20, 24],
    ["bf", "BF16", [2], 24, 28],
    ["h", "F16", [2], 28, 32],
    ["i8", "I8", [1], 32, 33],
    ["u", "U8", [3], 33, 36],
    ["bo", "BOOL", [2], 36, 38],
  ]
  const entries = rows.map(([name, dtype, shape, start, end]) => `"${name}":${entry(dtype, shape, [start, end])}`)
  const header = `{"__metadata__":{"format":"pt"},${entries.join()}}`
  const length = Math.ceil(header.length / 8) * 8
  expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(BigInt(length))
  expect(new TextDecoder().decode(bytes.subarray(8, 8 + length))).toBe(header.padEnd(length))
  expect(bytes.subarray(8 + length).toHex()).toBe(
    "0900000000000000" +
      "0000803f00000040" +
      "0000e040" +
      "03000000" +
      "803f0040" +
      "003c00c0" +
      "ff" +
      "010203" +
      "0100",
  )
})

test("writeSafetensors() refuses a name that can't be read back", () => {
  for (const name of ["__metadata__", "a\nb", "\ud800", "n".repeat(513)])
    expect(() => writeSafetensors(new Map([[name, f32([1], [1])]]))).toThrow(TypeError)
})

test("readSafetensors() gives back what writeSafetensors() wrote, bit for bit", () => {
  const floats = fc.float32Array({ minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom("__proto__", "7", "é")), floats), {
        maxLength: 6,
      }),
      (arrays) => {
        const tensors = new Map(arrays.map(([name, data]) => [name, f32([data.length], data)]))
        const again = readSafetensors(writeSafetensors(tensors), "x")
        expect(again.size).toBe(tensors.size)
        for (const [name, { data }] of tensors) {
          expect(new Uint32Array((again.get(name)!.data as Float32Array).buffer)).toEqual(
            new Uint32Array(data.slice().buffer),
          )
        }
      },
    ),
    { numRuns: 100 },
  )
})

test("readSafetensors() answers any change of bytes with tensors or with an error of its own", () => {
  const whole = writeSafetensors(
    new Map([
      ["a", f32([2, 3], [1, 2, 3, 4, 5, 6])],
      ["b", f32([4], [7, 8, 9, 10])],
    ]),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (changes) => {
        const bytes = whole.slice()
        for (const [at, value] of changes) bytes[at] = value
        try {
          readSafetensors(bytes, "x")
        } catch (error) {
          if (!isEspalierError(error, "invalid_file")) throw error
        }
      },
    ),
    { numRuns: 3000 },
  )
})
