/**
 * @module The weights of an adapter folder, held against the hash that our facts have of them.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encodeUtf8 } from "../../../src/core/bytes.ts"
import { rng } from "../../../src/core/rng.ts"
import { f32, type Tensor } from "../../../src/core/tensor.ts"
import { writeSafetensors } from "../../../src/formats/safetensors.ts"
import { openAdapterFolder, readAdapterFolder, writeAdapterFolder } from "../../../src/store/adapter-folder.ts"
import { openWeights, readWeights, WEIGHTS } from "../../../src/store/adapter-weights.ts"
import { memoryFolder } from "../../../src/store/folder.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-weights-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
const config = { peft_type: "LORA", r: 2 }
const tensors = new Map([["w", f32([2, 3], [1, -2, 3, 0.5, 0.25, 7])]])

/** A folder as it was written, before something happens to it. */
async function written(name: string, facts: Record<string, unknown> | null = { format: 1 }): Promise<string> {
  const path = join(root, name)
  await writeAdapterFolder(path, { config, tensors, facts }, "About")
  return path
}

const factsOf = (path: string) => JSON.parse(readFileSync(join(path, "espalier.json"), "utf8"))
const setFacts = (path: string, facts: unknown) => writeFileSync(join(path, "espalier.json"), JSON.stringify(facts))

test("espalier.json says what any tool says the weights' sha256 is", async () => {
  const path = await written("plain")
  const bytes = readFileSync(join(path, WEIGHTS))
  expect(factsOf(path)).toEqual({ format: 1, files: { [WEIGHTS]: { bytes: bytes.length, sha256: sha256(bytes) } } })
  expect((await openAdapterFolder(path)).verified).toBe(true)
})

describe("a bit that flipped", () => {
  test("anywhere in the numbers is noticed, with both hashes, the file and what to do", async () => {
    const path = await written("flipped")
    const file = join(path, WEIGHTS)
    const good = readFileSync(file)
    for (const bit of [0, 1, 7, 100, 191]) {
      const bad = Buffer.from(good)
      bad[good.length - 24 + (bit >> 3)]! ^= 1 << (bit & 7)
      writeFileSync(file, bad)
      await expect(openAdapterFolder(path)).rejects.toMatchObject({
        code: "invalid_file",
        message: `${WEIGHTS} in folder flipped is not the file that espalier.json speaks of: expected sha256 ${sha256(good)} but found ${sha256(bad)}`,
        hint: expect.stringMatching(/copy or train the adapter anew.*remove "files" from espalier\.json/),
      })
    }
    writeFileSync(file, good)
    expect((await openAdapterFolder(path)).tensors.get("w")).toEqual(tensors.get("w")!)
  })

  test("in the header, where nothing else would tell, is noticed too", async () => {
    const path = await written("header")
    const bytes = readFileSync(join(path, WEIGHTS))
    bytes[bytes.indexOf('"pt"') + 1]! ^= 1
    expect(bytes.includes('"qt"')).toBe(true)
    writeFileSync(join(path, WEIGHTS), bytes)
    await expect(openAdapterFolder(path)).rejects.toThrow(/expected sha256/)
  })

  test("goes unnoticed in an adapter of PEFT's, which has no facts", async () => {
    const path = await written("peft", null)
    const bytes = readFileSync(join(path, WEIGHTS))
    bytes[bytes.length - 4]! ^= 1
    writeFileSync(join(path, WEIGHTS), bytes)
    expect((await openAdapterFolder(path)).verified).toBe(false)
  })
})

describe("a folder that was edited by hand", () => {
  test("with other weights is refused until the facts stop speaking of them", async () => {
    const path = await written("replaced")
    writeFileSync(join(path, WEIGHTS), writeSafetensors(new Map([["w", f32([1], [9])]])))
    await expect(openAdapterFolder(path)).rejects.toThrow(/is not the file that espalier\.json speaks of/)
    const { files: _, ...rest } = factsOf(path)
    setFacts(path, rest)
    const { tensors: read, verified } = await openAdapterFolder(path)
    expect([read.get("w")!.data[0], verified]).toEqual([9, false])
  })

  test("with another configuration or another note in the facts loads", async () => {
    const path = await written("noted")
    writeFileSync(join(path, "adapter_config.json"), JSON.stringify({ ...config, base_model_name_or_path: "mine" }))
    const { files } = factsOf(path)
    setFacts(path, {
      note: "mine",
      files: { [WEIGHTS]: { sha256: files[WEIGHTS].sha256.toUpperCase() } },
    })
    expect(await openAdapterFolder(path)).toMatchObject({ verified: true, facts: { note: "mine" } })
  })

  const wrong: readonly unknown[] = [
    null,
    "x",
    [],
    {},
    { [WEIGHTS]: null },
    { [WEIGHTS]: {} },
    { [WEIGHTS]: { sha256: 7 } },
    { [WEIGHTS]: { sha256: "abc" } },
    { [WEIGHTS]: { sha256: "g".repeat(64) } },
    { "other.safetensors": { sha256: "0".repeat(64) } },
  ]
  test.each(wrong.map((files) => [JSON.stringify(files), files] as const))(
    "with files = %s in the facts is refused",
    async (_name, files) => {
      const path = await written("garbled")
      setFacts(path, { files })
      await expect(openAdapterFolder(path)).rejects.toMatchObject({
        code: "invalid_file",
        message: expect.stringMatching(
          /^espalier\.json: expected files to say the sha256 of adapter_model\.safetensors/,
        ),
      })
    },
  )
})

describe("readWeights()", () => {
  /** More than two pieces: many small tensors, and one that is larger than a piece. */
  const large = (): Map<string, Tensor> => {
    const random = rng(3, "large")
    const sizes = [1, 0, 3 * 2 ** 19, 3 * 2 ** 19, 2 ** 19, 5 * 2 ** 19, 7, 100_000]
    return new Map(
      sizes.map((size, i) => [
        `t${i}`,
        f32(
          [size],
          Float32Array.from({ length: size }, () => random.next()),
        ),
      ]),
    )
  }

  test("reads a large file once, in order and in pieces, and hashes all of it", async () => {
    const given = large()
    const bytes = writeSafetensors(given)
    const folder = memoryFolder("a", new Map([[WEIGHTS, bytes]]))
    const reads: [number, number][] = []
    const watched = {
      ...folder,
      readRange(file: string, start: number, end: number) {
        reads.push([start, end])
        return folder.readRange(file, start, end)
      },
    }
    const read = await readWeights(await openWeights(watched), sha256(bytes), "espalier.json")
    // As bytes: a comparison of numbers one by one takes seconds.
    expect([...read].map(([name, { data }]) => [name, sha256(new Uint8Array(data.buffer))])).toEqual(
      [...given].map(([name, { data }]) => [name, sha256(new Uint8Array(data.buffer))]),
    )
    expect(reads.length).toBeGreaterThan(2)
    expect(Math.max(...reads.map(([start, end]) => end - start))).toBeLessThanOrEqual(5 * 2 ** 21)
    const weights = await openWeights(folder)
    await expect(readWeights(weights, sha256(bytes.subarray(1)), "espalier.json")).rejects.toThrow(/expected sha256/)
  })

  test("reads a small file in one read", async () => {
    const bytes = writeSafetensors(tensors)
    const folder = memoryFolder("a", new Map([[WEIGHTS, bytes]]))
    const reads: number[] = []
    const watched = {
      ...folder,
      readRange(file: string, start: number, end: number) {
        reads.push(end - start)
        return folder.readRange(file, start, end)
      },
    }
    await readWeights(await openWeights(watched), null, "espalier.json")
    expect(reads).toEqual([bytes.length])
  })

  test("says that a number is none only of weights that are as they were written", async () => {
    const bytes = writeSafetensors(new Map([["w", f32([1], [Number.NaN])]]))
    const files = new Map([
      [WEIGHTS, bytes],
      ["adapter_config.json", encodeUtf8("{}")],
      ["espalier.json", encodeUtf8(JSON.stringify({ files: { [WEIGHTS]: { sha256: "0".repeat(64) } } }))],
    ])
    await expect(readAdapterFolder(memoryFolder("a", files))).rejects.toThrow(/expected sha256/)
    files.delete("espalier.json")
    await expect(readAdapterFolder(memoryFolder("a", files))).rejects.toThrow(/tensor w holds NaN/)
  })
})
