import { afterEach, beforeEach, expect, test } from "bun:test"
import { appendFile, mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openLedger } from "../../../scripts/study/ledger.ts"

let folder = ""
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-test-"))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const never = (): Promise<unknown> => Promise.reject(new Error("measured again"))

test("what was measured is not measured again, in this run or a later one", async () => {
  const path = join(folder, "figures.json.part")
  const { once } = await openLedger(path, { base: "b" })
  expect(await once("lora", async () => ({ right: 0.98 }))).toEqual({ right: 0.98 })
  expect(await once("lora", never)).toEqual({ right: 0.98 })
  const again = await openLedger(path, { base: "b" })
  expect(await again.once("lora", never)).toEqual({ right: 0.98 })
})

test("figures of another base are forgotten", async () => {
  const path = join(folder, "figures.json.part")
  await (await openLedger(path, { base: "b" })).once("lora", async () => 1)
  expect(await (await openLedger(path, { base: "c" })).once("lora", async () => 2)).toBe(2)
})

test("a line that was cut off is measured again, and the lines after it are whole", async () => {
  const path = join(folder, "figures.json.part")
  await (await openLedger(path, {})).once("lora", async () => 1)
  await appendFile(path, '{"key":"dora","figu')
  const { once } = await openLedger(path, {})
  expect(await once("dora", async () => 2)).toBe(2)
  const { once: third } = await openLedger(path, {})
  expect([await third("lora", never), await third("dora", never)]).toEqual([1, 2])
})

test("a measurement that fails leaves nothing behind", async () => {
  const path = join(folder, "figures.json.part")
  const { once, remove } = await openLedger(path, {})
  await expect(once("lora", never)).rejects.toThrow("measured again")
  expect(await once("lora", async () => 3)).toBe(3)
  await remove()
  expect(await readdir(folder)).toEqual([])
})
