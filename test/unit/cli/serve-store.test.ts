/**
 * @module Which store `espalier serve` opens, and what it does where there is none to be had.
 */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openServedStore, type ServedStore } from "../../../src/cli/serve-store.ts"

const before = process.cwd()
const opened: (ServedStore | null)[] = []
const folders: string[] = []
afterEach(() => {
  process.chdir(before)
  for (const store of opened.splice(0)) store?.store.database.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const fresh = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-serve-store-"))
  folders.push(folder)
  return folder
}
/** Opens a store. @returns it, and what was said on the way */
async function open(given: string | undefined): Promise<{ store: ServedStore | null; said: string }> {
  let said = ""
  const err = (text: string): void => {
    said += text
  }
  const store = await openServedStore(given, { out() {}, err, isTerminal: false, columns: () => 80, env: {} })
  opened.push(store)
  return { store, said }
}

test("--store off opens none", async () => {
  expect(await open("off")).toEqual({ store: null, said: "" })
})

test("without --store the folder is espalier-store; a second server beside the first does without, and says so", async () => {
  const folder = fresh()
  process.chdir(folder)
  const first = await open(undefined)
  expect([first.store?.folder.endsWith("/espalier-store"), first.said]).toEqual([true, ""])
  const second = await open(undefined)
  expect(second.store).toBeNull()
  expect(second.said).toMatch(/^Without files and fine-tuning jobs\. Error: Another process has the job store/)
})

test("a folder that was asked for and can't be had is an error", async () => {
  const folder = fresh()
  await open(folder)
  await expect(open(folder)).rejects.toMatchObject({ code: "conflict", param: "store" })
})

test("a damaged database is told of, with where it went", async () => {
  const folder = fresh()
  writeFileSync(join(folder, "jobs.sqlite"), "no database".repeat(1000))
  const { store, said } = await open(folder)
  expect(store).not.toBeNull()
  expect(said).toContain(`has been moved to ${join(folder, "jobs.sqlite.damaged-")}`)
})
