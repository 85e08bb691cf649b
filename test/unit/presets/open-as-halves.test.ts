/**
 * @module A base held as f16 where its checkpoint is: the same numbers in half the memory.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { f16ToF32 } from "../../../src/core/half.ts"
import { openAsHalves, openBase, openBaseFolder } from "../../../src/presets/open-base.ts"
import { memoryFolder } from "../../../src/store/folder.ts"
import { openSprig, sprigFolder } from "../../support/sprig.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-halves-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test("a checkpoint of f16 is held as it is, and one of f32 is left alone", async () => {
  const open = await openSprig()
  const { base } = await openAsHalves(open)
  expect([base.quantization, base.hash]).toEqual(["f16", open.base.hash])
  expect(base.weights.size).toBeLessThan(0.51 * open.base.weights.size)
  const blob = await base.weights.bytes()
  const name = "model.layers.3.mlp.down_proj.weight"
  const { offset, length } = base.layout.get(name)!
  const halves = new Uint16Array(blob.slice(offset, offset + length).buffer)
  expect(f16ToF32(halves)).toEqual(await open.base.read(name))

  writeTinyBase(folder, 1)
  const other = await openBase(folder, { cacheFolder: null })
  expect(await openAsHalves(other)).toBe(other)
})

test("a checkpoint of f16 in memory is held as it is stretch by stretch, and never as a whole", async () => {
  const names = readdirSync(sprigFolder).filter((name) => /^(config|tokenizer)\.json$|\.safetensors$/.test(name))
  const files = new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(sprigFolder, name)))]))
  let listed = 0
  const inMemory = memoryFolder("sprig", files)
  const counted = {
    ...inMemory,
    list() {
      listed++
      return inMemory.list()
    },
  }
  const open = await openBaseFolder(counted, "sprig", { cacheFolder: null })
  const before = listed
  const { weights, layout } = (await openAsHalves(open)).base
  // The checkpoint that is open is asked; it is not looked for anew.
  expect(listed).toBe(before)
  const blob = await weights.bytes()
  const places = [...layout.values()]
  for (const { offset, length } of [...places, { offset: 100, length: 1002 }, { offset: 0, length: weights.size }])
    expect(Buffer.compare(weights.part!(offset, length), blob.subarray(offset, offset + length))).toBe(0)
})
