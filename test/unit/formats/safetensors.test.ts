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

test("readSafetensors() keeps a tensor called __proto__ to itself", () => {
  const bytes = file(`{"__proto__":${entry("F32", [1], [0, 4])}}`, new Uint8Array(4))
  expect([...readSafetensors(bytes, "x").keys()]).toEqual(["__proto__"])
  expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined()
})

test("readSafetensors() gives back what writeSafetensors() wrote, bit for bit", () => {
  const floats = fc.float32Array({ minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1, maxLength: 12 }).filter((name) => name !== "__metadata__" && name !== "__proto__"),
        floats,
        { maxKeys: 6 },
      ),
      (arrays) => {
        const tensors = new Map(Object.entries(arrays).map(([name, data]) => [name, f32([data.length], data)]))
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
