import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { encodeUtf8 } from "../../../src/core/bytes.ts"
import { f32ToBf16, f32ToF16 } from "../../../src/core/half.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import { writeSafetensors } from "../../../src/formats/safetensors.ts"
import { underNames } from "../../../src/store/checkpoint-names.ts"
import { openCheckpoint } from "../../../src/store/checkpoint-reader.ts"
import { memoryFolder } from "../../../src/store/folder.ts"
import { packWeights } from "../../../src/store/weights-file.ts"

const a = f32([2, 2], [1, 2, 3, 4])
const b = f32([2], [5, 6])
const folderOf = (files: Record<string, Uint8Array | string>) =>
  memoryFolder(
    "base",
    new Map(Object.entries(files).map(([name, data]) => [name, typeof data === "string" ? encodeUtf8(data) : data])),
  )
const single = (tensors: Record<string, Tensor>) =>
  folderOf({ "model.safetensors": writeSafetensors(new Map(Object.entries(tensors))) })
const index = (map: Record<string, string>) => JSON.stringify({ weight_map: map })

describe("underNames()", () => {
  test("finds the weights of a model that was saved without its output layer", async () => {
    const bare = await openCheckpoint(single({ "wte.weight": a, "h.0.ln_1.bias": b }))
    const found = underNames(bare, "transformer.wte")
    expect([...found.tensors.keys()]).toEqual(["transformer.h.0.ln_1.bias", "transformer.wte.weight"])
    expect(await found.readF32("transformer.h.0.ln_1.bias")).toEqual(b.data)
    expect(await found.hash()).toBe(await bare.hash())
  })

  test("leaves a checkpoint alone that has the names already, or neither", async () => {
    for (const tensors of [{ "transformer.wte.weight": a, "h.0.ln_1.bias": b }, { x: a }]) {
      const checkpoint = await openCheckpoint(single(tensors))
      expect(underNames(checkpoint, "transformer.wte")).toBe(checkpoint)
    }
  })
})

describe("openCheckpoint()", () => {
  test("compares tensors byte by byte", async () => {
    const large = new Float32Array(9 * 2 ** 18).fill(1)
    const other = large.slice()
    other[other.length - 1] = 2
    const f = (data: Float32Array) => f32([data.length], data)
    const checkpoint = await openCheckpoint(single({ a, b, x: f(large), y: f(large), z: f(other) }))
    expect(await checkpoint.equal("x", "y")).toBe(true)
    expect(await checkpoint.equal("x", "z")).toBe(false)
    expect(await checkpoint.equal("a", "b")).toBe(false)
  })

  test("reads f32, f16 and bf16 as f32", async () => {
    const values = Float32Array.of(1, -2, 0.5, 4)
    const checkpoint = await openCheckpoint(
      single({
        x: f32([4], values),
        y: { dtype: "f16", shape: [4], data: f32ToF16(values) },
        z: { dtype: "bf16", shape: [4], data: f32ToBf16(values) },
      }),
    )
    for (const name of ["x", "y", "z"]) expect(await checkpoint.readF32(name)).toEqual(values)
  })

  test("gives shards and one file the same hash", async () => {
    const shards = folderOf({
      "model-00001-of-00002.safetensors": writeSafetensors(new Map([["a", a]])),
      "model-00002-of-00002.safetensors": writeSafetensors(new Map([["b", b]])),
      "model.safetensors.index.json": index({
        a: "model-00001-of-00002.safetensors",
        b: "model-00002-of-00002.safetensors",
      }),
    })
    const [one, two] = [await openCheckpoint(single({ a, b })), await openCheckpoint(shards)]
    expect(await two.readF32("b")).toEqual(b.data)
    expect(await two.hash()).toBe(await one.hash())
  })

  test("hashes name, dtype, shape and bytes of each tensor by name, in few reads, wherever it lies in the file", async () => {
    const half = (count: number): Tensor => ({ dtype: "f16", shape: [count], data: new Uint16Array(count).fill(count) })
    // By dtype in the file, by name in the hash; and one that is read in pieces.
    const large = new Float32Array(9 * 2 ** 18).fill(1, 2 ** 21 - 7, 2 ** 21 + 5)
    const tensors = { a: half(3), b, c: half(5), d: f32([1], [7]), e: f32([1], [8]), f: f32([large.length], large) }
    const hash = createHash("sha256")
    for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
      hash.update(`${name}\0${dtype}\0${shape.join()}\0`)
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
    const folder = single(tensors)
    let reads = 0
    const counting = {
      ...folder,
      readRange(file: string, start: number, end: number) {
        reads++
        return folder.readRange(file, start, end)
      },
    }
    const checkpoint = await openCheckpoint(counting)
    const before = reads
    expect(await checkpoint.hash()).toBe(hash.digest("hex"))
    // a, b, c, then d to f in two pieces.
    expect(reads - before).toBe(5)
  })

  const shard = writeSafetensors(new Map([["a", a]]))
  const bad: readonly (readonly [string, Record<string, Uint8Array | string>, RegExp])[] = [
    [
      "a shard that is missing",
      { "model.safetensors.index.json": index({ a: "s1.safetensors" }) },
      /Shard s1\.safetensors is missing/,
    ],
    [
      "a tensor that its shard lacks",
      { "s1.safetensors": shard, "model.safetensors.index.json": index({ a: "s1.safetensors", c: "s1.safetensors" }) },
      /s1\.safetensors has no tensor c/,
    ],
    [
      "a shard outside the folder",
      { "model.safetensors.index.json": index({ a: "../secret.safetensors" }) },
      /no safetensors file of this folder/,
    ],
    ["an index that is no JSON", { "model.safetensors.index.json": "{" }, /not valid JSON/],
    ["pickled weights", { "pytorch_model.bin": "x" }, /has neither model\.safetensors/],
    ["a truncated file", { "model.safetensors": shard.slice(0, -1) }, /^model\.safetensors: .*truncated/],
  ]
  for (const [name, files, message] of bad)
    test(`refuses ${name}`, async () => expect(openCheckpoint(folderOf(files))).rejects.toThrow(message))
})

describe("packWeights()", () => {
  const groups = [
    {
      name: "ab",
      parts: [
        { name: "a", shape: [2, 2] },
        { name: "b", shape: [2] },
      ],
    },
  ]
  const pack = async (tensors: Record<string, Tensor>, wanted = groups) =>
    packWeights(await openCheckpoint(single(tensors)), wanted, { cacheFolder: null })

  test("lays the parts of a group side by side, each group at a page", async () => {
    const { layout, weights } = await pack({ a, b }, [
      { name: "b", parts: [{ name: "b", shape: [2] }] },
      { name: "a", parts: [{ name: "a", shape: [2, 2] }] },
    ])
    expect(layout.get("b")).toEqual({ shape: [2], offset: 0, length: 8 })
    expect(layout.get("a")).toEqual({ shape: [2, 2], offset: 4096, length: 16 })
    expect(new Float32Array((await weights.bytes()).buffer, 4096, 4)).toEqual(a.data)
    const joined = await pack({ a, b })
    expect(joined.layout.get("b")!.offset).toBe(16)
  })

  test("gives any stretch of weights in memory as the whole has it, wherever tensors begin in their file", async () => {
    const half = { dtype: "f16", shape: [2], data: f32ToF16(Float32Array.of(0.5, -3)) } as const
    const file = writeSafetensors(new Map<string, Tensor>(Object.entries({ a, b, half })))
    // One byte before it: no tensor lies where its numbers could be read as they are.
    const odd = new Uint8Array(file.length + 1).subarray(1)
    odd.set(file)
    const checkpoint = await openCheckpoint(memoryFolder("odd", new Map([["model.safetensors", odd]])))
    const groups = [
      { name: "b", parts: [{ name: "b", shape: [2] }] },
      {
        name: "a",
        parts: [
          { name: "a", shape: [2, 2] },
          { name: "half", shape: [2] },
        ],
      },
    ]
    const { weights } = await packWeights(checkpoint, groups, { cacheFolder: null })
    const blob = await weights.bytes()
    expect(blob.length).toBe(4096 + 24)
    for (const [offset, length] of [
      [0, blob.length],
      [4096, 16],
      [4, 4100],
      [4108, 10],
      [8, 16],
      [4112, 8],
    ] as const)
      expect([...weights.part!(offset, length)]).toEqual([...blob.subarray(offset, offset + length)])
  })

  test("names every tensor that is missing or misshapen, at once", async () => {
    const error = await pack({ a: f32([4], [1, 2, 3, 4]) }).catch((thrown: unknown) => thrown as Error)
    expect((error as Error).message).toContain("a: expected [2,2] but found [4]")
    expect((error as Error).message).toContain("b: expected [2] but it is missing")
  })

  test("packs a tensor that is read in parts as one that is read at once, whatever it is stored as", async () => {
    const large = Float32Array.from({ length: 9 * 2 ** 18 }, (_, i) => (i % 251) - 100)
    const groups = [{ name: "x", parts: [{ name: "x", shape: [large.length] }] }]
    const tensors = {
      f32: f32([large.length], large),
      f16: { dtype: "f16", shape: [large.length], data: f32ToF16(large) },
      bf16: { dtype: "bf16", shape: [large.length], data: f32ToBf16(large) },
    } as const
    for (const x of Object.values(tensors)) {
      const checkpoint = await openCheckpoint(single({ pad: f32([1], [0]), x }))
      const { weights } = await packWeights(checkpoint, groups, { cacheFolder: null })
      const blob = await weights.bytes()
      expect(new Float32Array(blob.buffer, 0, large.length)).toEqual(large)
      expect(weights.part!(0, blob.length)).toEqual(blob)
      expect(weights.part!(4000, 8)).toEqual(blob.subarray(4000, 4008))
    }
    large[large.length - 1] = Number.NaN
    const broken = await openCheckpoint(single({ x: f32([large.length], large) }))
    await expect(packWeights(broken, groups, { cacheFolder: null })).rejects.toThrow(
      `NaN at element ${large.length - 1}`,
    )
  })

  test("refuses a base that holds NaN, naming the tensor", async () => {
    expect(pack({ a, b: f32([2], [1, Number.NaN]) })).rejects.toThrow(/tensor b holds NaN at element 1/)
  })
})
