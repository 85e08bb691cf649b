/**
 * @module Folders in an object store.
 */
import { expect, test } from "bun:test"
import { encodeUtf8 } from "../../../src/core/bytes.ts"
import { bucketFolder } from "../../../src/store/bucket-folder.ts"
import { memoryBucket } from "../../support/memory-bucket.ts"

test("a prefix reads as a folder, over as many pages as there are, without what lies deeper", async () => {
  const { bucket } = memoryBucket(2)
  for (const key of ["a/x/one", "a/x/two", "a/x/three", "a/x/deep/four", "a/xy/five"])
    await bucket.put(key, encodeUtf8(key))
  const folder = bucketFolder(bucket, "a/x/")
  expect(folder.name).toBe("x")
  expect(await folder.list()).toEqual(["one", "three", "two"])
  expect(await folder.size("one")).toBe(7)
  expect(new TextDecoder().decode(await folder.read("two"))).toBe("a/x/two")
  expect(new TextDecoder().decode(await folder.readRange("three", 2, 5))).toBe("x/t")
  expect(await folder.readRange("three", 2, 2)).toHaveLength(0)
  // Who brings a buffer gets what it asked for in there.
  const room = new Uint8Array(8)
  const part = await folder.readRange("three", 2, 5, room)
  expect([part.buffer === room.buffer, new TextDecoder().decode(part)]).toEqual([true, "x/t"])
})

test("a stamp changes when its object does", async () => {
  const { bucket } = memoryBucket()
  await bucket.put("f/a", encodeUtf8("1"))
  const folder = bucketFolder(bucket, "f/")
  const before = await folder.stamp("a")
  expect(await folder.stamp("a")).toBe(before)
  await bucket.put("f/a", encodeUtf8("1"))
  expect(await folder.stamp("a")).not.toBe(before)
})

test("what is missing, too short or no file name is refused", async () => {
  const { bucket } = memoryBucket()
  await bucket.put("f/a", encodeUtf8("123"))
  const folder = bucketFolder(bucket, "f/")
  expect(folder.read("b")).rejects.toThrow("Folder f has no readable file b")
  expect(folder.size("b")).rejects.toThrow("no readable file")
  expect(folder.readRange("b", 0, 1)).rejects.toThrow("no readable file")
  expect(folder.readRange("a", 1, 9)).rejects.toThrow("a ended at byte 3 where 9 was expected")
  expect(folder.read("../f/a")).rejects.toThrow("Not a file name")
})
