/**
 * @module A folder on disk as an object store.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bucketFolder } from "../../../src/store/bucket-folder.ts"
import { fsBucket } from "../../../src/store/fs-bucket.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-fs-bucket-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = async (object: { arrayBuffer(): Promise<ArrayBuffer> } | null): Promise<string | null> =>
  object && new TextDecoder().decode(await object.arrayBuffer())

test("an object is put, read whole and in part, told of, and replaced whole", async () => {
  const bucket = fsBucket(join(root, "not there yet"))
  expect([await bucket.head("a/b.json"), await bucket.get("a/b.json")]).toEqual([null, null])
  expect((await bucket.list({ prefix: "" })).objects).toEqual([])
  await bucket.put("a/b.json", bytes("hello"))
  expect(await textOf(await bucket.get("a/b.json"))).toBe("hello")
  expect(await textOf(await bucket.get("a/b.json", { range: { offset: 1, length: 3 } }))).toBe("ell")
  expect(await textOf(await bucket.get("a/b.json", { range: { offset: 3, length: 9 } }))).toBe("lo")
  const first = await bucket.head("a/b.json")
  expect(first).toMatchObject({ key: "a/b.json", size: 5 })
  await bucket.put("a/b.json", bytes("other"))
  expect((await bucket.head("a/b.json"))!.etag).not.toBe(first!.etag)
  expect(await bucket.put("a/b.json", bytes("third"), { onlyIf: { etagDoesNotMatch: "*" } })).toBeNull()
  expect(await textOf(await bucket.get("a/b.json"))).toBe("other")
  expect(readdirSync(join(root, "not there yet", "a"))).toEqual(["b.json"])
})

test("keys are listed by how they begin; what is half written is nobody's, and folders are no objects", async () => {
  const bucket = fsBucket(join(root, "listed"))
  for (const key of ["x/one", "x/two", "x/deep/three", "xy", "z"]) await bucket.put(key, bytes(key))
  writeFileSync(join(root, "listed/x/.half"), "")
  mkdirSync(join(root, "listed/x/empty"))
  const keys = async (prefix: string) => (await bucket.list({ prefix })).objects.map(({ key }) => key)
  expect(await keys("x")).toEqual(["x/deep/three", "x/one", "x/two", "xy"])
  expect(await keys("x/t")).toEqual(["x/two"])
  expect(await bucketFolder(bucket, "x/").list()).toEqual(["one", "two"])
  expect([await bucket.head("x"), await bucket.get("x"), await bucket.head("z/a")]).toEqual([null, null, null])
})

test("no key leads out of the folder", async () => {
  const bucket = fsBucket(join(root, "confined"))
  for (const key of ["../a", "a/../b", "/a", "a//b", ".a", "a/.b", "", "a\0", "a\\b"]) {
    await expect(bucket.head(key)).rejects.toThrow("is no object's key")
    await expect(bucket.put(key, bytes("x"))).rejects.toThrow("is no object's key")
  }
  await expect(bucket.list({ prefix: "../a" })).rejects.toThrow("is no object's key")
})

test("a disk that fails is told as such", async () => {
  writeFileSync(join(root, "file"), "")
  await expect(fsBucket(join(root, "file")).put("a/b", bytes("x"))).rejects.toMatchObject({ code: "unavailable" })
})
