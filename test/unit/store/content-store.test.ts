/**
 * @module Contents by their sha256: whole or not there.
 */
import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { decodeUtf8, encodeUtf8 } from "../../../src/core/bytes.ts"
import { sha256Hex } from "../../../src/core/hash.ts"
import { openContentStore } from "../../../src/store/content-store.ts"

const folders: string[] = []
const fresh = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-content-"))
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const text of texts) yield encodeUtf8(text)
}
const filesIn = (folder: string): string[] => [...readdirSync(folder), ...readdirSync(join(folder, "incoming"))]

describe("openContentStore()", () => {
  test("keeps what arrives in pieces under its hash, once", async () => {
    const folder = fresh()
    const store = await openContentStore(folder)
    const arrived = await store.receive(chunksOf("one ", "two"), 100)
    expect(arrived).toMatchObject({ bytes: 7, sha256: await sha256Hex(encodeUtf8("one two")) })
    expect(await store.list()).toEqual([])
    await arrived.keep()
    await arrived.discard()
    const again = await store.receive(chunksOf("one two"), 100)
    await again.keep()
    expect(await store.list()).toEqual([arrived.sha256])
    expect(decodeUtf8(await store.read(arrived.sha256))).toBe("one two")
    expect(filesIn(folder).sort()).toEqual([arrived.sha256, "incoming"].sort())
    await store.remove(arrived.sha256)
    await store.remove(arrived.sha256)
    expect(await store.list()).toEqual([])
  })

  test("gives long contents in pieces", async () => {
    const store = await openContentStore(fresh())
    const text = "x".repeat(600_000)
    const { sha256, keep } = await store.receive(chunksOf(text, "y"), 10 ** 7)
    await keep()
    const pieces: Uint8Array[] = []
    for await (const piece of store.stream(sha256)) pieces.push(piece)
    expect(pieces.length).toBeGreaterThan(1)
    expect(pieces.map(decodeUtf8).join("")).toBe(`${text}y`)
  })

  test("leaves nothing of what is over the limit, breaks off or was cut by a crash", async () => {
    const folder = fresh()
    const store = await openContentStore(folder)
    await expect(store.receive(chunksOf("12345", "6"), 5)).rejects.toMatchObject({ code: "too_large" })
    const broken = async function* () {
      yield encodeUtf8("1")
      throw new Error("gone")
    }
    await expect(store.receive(broken(), 5)).rejects.toThrow("gone")
    expect(filesIn(folder)).toEqual(["incoming"])
    await store.receive(chunksOf("12345"), 5)
    expect(filesIn(folder)).toHaveLength(2)
    await openContentStore(folder)
    expect(filesIn(folder)).toEqual(["incoming"])
  })

  test("tells of bytes that changed on disk and of bytes that are gone", async () => {
    const folder = fresh()
    const store = await openContentStore(folder)
    const { sha256, keep } = await store.receive(chunksOf("some text"), 100)
    await keep()
    truncateSync(join(folder, sha256), 4)
    await expect(store.read(sha256)).rejects.toThrow(`Expected a file with sha256 ${sha256}`)
    rmSync(join(folder, sha256))
    await expect(store.read(sha256)).rejects.toMatchObject({ code: "invalid_file" })
    const drain = async () => {
      for await (const _ of store.stream(sha256));
    }
    await expect(drain()).rejects.toMatchObject({ code: "invalid_file" })
  })

  test("takes no path for a hash", async () => {
    const folder = fresh()
    writeFileSync(join(folder, "secret"), "s")
    const store = await openContentStore(join(folder, "files"))
    await expect(store.read("../secret")).rejects.toThrow("sha256")
  })
})
