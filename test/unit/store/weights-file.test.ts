import { afterAll, describe, expect, test } from "bun:test"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { bytesOf } from "../../../src/core/bytes.ts"
import { type CodeMatrix, quantizeCodes, transposed } from "../../../src/core/codes.ts"
import { f32ToF16 } from "../../../src/core/half.ts"
import { rng } from "../../../src/core/rng.ts"
import { f32 } from "../../../src/core/tensor.ts"
import { blobSize, memorySource, packWeights, type WeightSource } from "../../../src/store/weights-file.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-weights-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const groups = [
  { name: "b", parts: [{ name: "b", shape: [2] }] },
  { name: "a", parts: [{ name: "a", shape: [2, 2] }] },
]
const tensors = new Map([
  ["a", f32([2, 2], [1, 2, 3, 4])],
  ["b", f32([2], [5, 6])],
])

/** A source that counts how often it is read. */
function counted(from = tensors): WeightSource & { reads: number } {
  const source = memorySource(from)
  const counting = {
    ...source,
    reads: 0,
    readF32(name: string) {
      counting.reads++
      return source.readF32(name)
    },
  }
  return counting
}

test("packWeights() writes a blob once, the same as in memory, and finds it again", async () => {
  const cacheFolder = join(root, "once")
  const first = counted()
  const { weights, layout } = await packWeights(first, groups, { cacheFolder })
  const inMemory = await packWeights(counted(), groups, { cacheFolder: null })
  expect(first.reads).toBe(2)
  expect(weights.size).toBe(4096 + 16)
  expect([...readFileSync(weights.path!)]).toEqual([...(await inMemory.weights.bytes())])
  expect(await weights.bytes()).toEqual(await inMemory.weights.bytes())
  expect([weights.hash, [...layout]]).toEqual([inMemory.weights.hash, [...inMemory.layout]])

  const second = counted()
  expect((await packWeights(second, groups, { cacheFolder })).weights.path).toBe(weights.path)
  expect(second.reads).toBe(0)
  expect(readdirSync(dirname(weights.path!))).toEqual(["weights.bin"])
})

test("packWeights() gives other weights, and another layout of the same, a blob of their own", async () => {
  const cacheFolder = join(root, "own")
  const pathOf = async (source: WeightSource, wanted = groups) =>
    (await packWeights(source, wanted, { cacheFolder })).weights.path
  const other = new Map(tensors).set("b", f32([2], [5, 7]))
  const paths = [await pathOf(counted()), await pathOf(counted(other)), await pathOf(counted(), [...groups].reverse())]
  expect(new Set(paths).size).toBe(3)
})

test("packWeights() replaces a blob that was cut, and sweeps up what a crash left of it", async () => {
  const cacheFolder = join(root, "cut")
  const { weights } = await packWeights(counted(), groups, { cacheFolder })
  const whole = readFileSync(weights.path!)
  truncateSync(weights.path!, 100)
  const folder = dirname(weights.path!)
  const left = join(dirname(folder), `.${basename(folder)}.tmp-999999999-x-0`)
  mkdirSync(left)
  writeFileSync(join(left, "weights.bin"), "half")
  const again = counted()
  await packWeights(again, groups, { cacheFolder })
  expect(again.reads).toBe(2)
  expect(readFileSync(weights.path!)).toEqual(whole)
  expect(readdirSync(dirname(folder))).toEqual([basename(folder)])
})

test("packWeights() leaves nothing of a base that is refused half way", async () => {
  const cacheFolder = join(root, "refused")
  const bad = new Map(tensors).set("a", f32([2, 2], [1, 2, Number.NaN, 4]))
  await expect(packWeights(counted(bad), groups, { cacheFolder })).rejects.toThrow(/tensor a holds NaN at element 2/)
  expect(readdirSync(join(cacheFolder, "bases"))).toEqual([])
})

test("packWeights() of one base several times at once gives one whole blob", async () => {
  const cacheFolder = join(root, "several")
  const packed = await Promise.all([1, 2, 3, 4].map(() => packWeights(counted(), groups, { cacheFolder })))
  const paths = new Set(packed.map(({ weights }) => weights.path!))
  expect(paths.size).toBe(1)
  const [path] = [...paths]
  expect(existsSync(path!)).toBe(true)
  expect(readFileSync(path!).length).toBe(4096 + 16)
  expect(readdirSync(join(cacheFolder, "bases")).length).toBe(1)
})

describe("packWeights() with weights in fewer bits", () => {
  const random = rng(1, "int8")
  const matrix = (shape: readonly number[]) =>
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    )
  const wide = new Map([
    ["norm", matrix([64])],
    ["q", matrix([2, 64])],
    ["k", matrix([1, 64])],
    ["t", matrix([32, 3])],
  ])
  const wideGroups = [
    { name: "norm", parts: [{ name: "norm", shape: [64] }] },
    {
      name: "qk",
      parts: [
        { name: "q", shape: [2, 64] },
        { name: "k", shape: [1, 64] },
      ],
    },
    { name: "t", parts: [{ name: "t", shape: [32, 3] }] },
  ]
  const codes = new Map([
    ["q", { bits: 8, transposed: false }],
    ["k", { bits: 8, transposed: false }],
    ["t", { bits: 4, transposed: true }],
  ] as const)

  test("holds a group's codes side by side, its scales behind them, and the rest as f32", async () => {
    const { layout, weights } = await packWeights(memorySource(wide), wideGroups, { cacheFolder: null, held: codes })
    expect([...layout]).toEqual([
      ["norm", { shape: [64], offset: 0, length: 256 }],
      [
        "q",
        {
          shape: [2, 64],
          offset: 4096,
          length: 128,
          held: { bits: 8, scales: { offset: 4288, length: 16 }, transposed: false },
        },
      ],
      [
        "k",
        {
          shape: [1, 64],
          offset: 4224,
          length: 64,
          held: { bits: 8, scales: { offset: 4304, length: 8 }, transposed: false },
        },
      ],
      [
        "t",
        {
          shape: [32, 3],
          offset: 8192,
          length: 48,
          held: { bits: 4, scales: { offset: 8240, length: 12 }, transposed: true },
        },
      ],
    ])
    expect(weights.size).toBe(8252)
    expect(blobSize(wideGroups, codes)).toBe(8252)
    const blob = await weights.bytes()
    const held = (name: string): CodeMatrix => {
      const { offset, length, held: how } = layout.get(name)!
      if (!how || how.bits === 16) throw new TypeError(`${name} is not held as codes`)
      const { bits, scales } = how
      return {
        bits,
        codes: blob.slice(offset, offset + length),
        scales: new Float32Array(blob.slice(scales.offset, scales.offset + scales.length).buffer),
      }
    }
    expect([...blob.slice(0, 256)]).toEqual([...bytesOf(wide.get("norm")!.data)])
    for (const name of ["q", "k"]) expect(held(name)).toEqual(quantizeCodes(wide.get(name)!.data, 8))
    expect(held("t")).toEqual(quantizeCodes(transposed(wide.get("t")!.data, 32, 3), 4))
  })

  test("holds weights as f16, in their own shapes and side by side", async () => {
    const names = ["q", "k", "t"]
    const held = new Map(names.map((name) => [name, { bits: 16 }] as const))
    const { layout, weights } = await packWeights(counted(wide), wideGroups, { cacheFolder: null, held })
    const blob = await weights.bytes()
    for (const name of names) {
      const { shape, data } = wide.get(name)!
      const { offset, length, ...place } = layout.get(name)!
      expect(place).toEqual({ shape, held: { bits: 16 } })
      expect([...blob.slice(offset, offset + length)]).toEqual([...bytesOf(f32ToF16(data))])
    }
    expect(layout.get("k")!.offset).toBe(layout.get("q")!.offset + layout.get("q")!.length)
    expect(layout.get("norm")!.length).toBe(256)

    // Read in parts, as large tensors of a checkpoint are.
    const source = counted(wide)
    const parts = async function* (name: string) {
      const { data } = wide.get(name)!
      yield data.subarray(0, 7)
      yield data.subarray(7)
    }
    const inParts = await packWeights({ ...source, f32Parts: parts }, wideGroups, { cacheFolder: null, held })
    expect(await inParts.weights.bytes()).toEqual(blob)
  })

  test("refuses a number that f16 can't hold, with what to do", async () => {
    const held = new Map([["q", { bits: 16 }] as const])
    const { shape, data } = wide.get("q")!
    const packed = (number: number) => {
      const tensors = new Map(wide).set("q", f32(shape, data.with(3, number)))
      return packWeights(counted(tensors), wideGroups, { cacheFolder: null, held })
    }
    await packed(-65519)
    await expect(packed(-70000)).rejects.toMatchObject({
      code: "unsupported",
      message: "Weight q can't be held as f16: it has -70000, and f16 ends at 65504",
    })
  })

  test("keeps them in a file of their own beside the f32 one, written once", async () => {
    const cacheFolder = join(root, "int8")
    const first = counted(wide)
    const packed = await packWeights(first, wideGroups, { cacheFolder, held: codes })
    expect(first.reads).toBe(4)
    const inMemory = await packWeights(counted(wide), wideGroups, { cacheFolder: null, held: codes })
    expect([...readFileSync(packed.weights.path!)]).toEqual([...(await inMemory.weights.bytes())])
    const again = counted(wide)
    expect((await packWeights(again, wideGroups, { cacheFolder, held: codes })).weights.path).toBe(packed.weights.path)
    expect(again.reads).toBe(0)
    const plain = await packWeights(counted(wide), wideGroups, { cacheFolder })
    expect(plain.weights.path).not.toBe(packed.weights.path)
    expect(plain.weights.hash).not.toBe(packed.weights.hash)
  })
})
