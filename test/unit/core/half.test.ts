import { expect, test } from "bun:test"
import { bf16ToF32, f16ToF32, f16ToNumber, f32ToBf16, f32ToF16, numberToF16 } from "../../../src/core/half.ts"

test("every f16 survives the way to f32 and back", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i)
  const back = f32ToF16(f16ToF32(all))
  for (let i = 0; i < 65536; i++) {
    if (Number.isNaN(f16ToNumber(i))) expect(Number.isNaN(f16ToNumber(back[i]!))).toBe(true)
    else expect(back[i]).toBe(i)
  }
})

test("numberToF16() rounds to the nearest, ties to even", () => {
  const rows: readonly (readonly [number, number])[] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [1 + 1 / 2048, 0x3c00],
    [1 + 3 / 2048, 0x3c02],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-1e9, 0xfc00],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2],
    [2 ** -14 - 2 ** -25, 0x400],
    [Number.POSITIVE_INFINITY, 0x7c00],
  ]
  for (const [value, bits] of rows) expect([value, numberToF16(value)]).toEqual([value, bits])
})

test("bf16 keeps the upper half of a float, rounded to even", () => {
  expect([...bf16ToF32(f32ToBf16(Float32Array.of(1, -2.5, 3.140625, 0)))]).toEqual([1, -2.5, 3.140625, 0])
  expect(f32ToBf16(new Float32Array(Uint32Array.of(0x3f808000, 0x3f818000).buffer))).toEqual(
    Uint16Array.of(0x3f80, 0x3f82),
  )
  expect(Number.isNaN(bf16ToF32(f32ToBf16(Float32Array.of(Number.NaN)))[0]!)).toBe(true)
})
