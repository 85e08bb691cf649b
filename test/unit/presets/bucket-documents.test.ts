/**
 * @module Documents that a bucket keeps: they outlive an engine, others follow, and what is acknowledged is there.
 */
import { expect, test } from "bun:test"
import { bucketDocuments } from "../../../src/presets/bucket-documents.ts"
import type { Bucket } from "../../../src/store/bucket-folder.ts"
import { testIndexOptions } from "../../support/document-index.ts"
import { memoryBucket } from "../../support/memory-bucket.ts"

const open = (bucket: Bucket, more: object = {}) =>
  bucketDocuments({ bucket, prefix: "documents/", trustMs: 0, ...testIndexOptions(), ...more })
type Documents = ReturnType<typeof open>

const add = ({ index, change }: Documents, id: string, text: string) =>
  change(async () => {
    const collection = index.collection("", "default") ?? index.createCollection("", "default", { kind: "notes" })
    return index.put(collection.id, { id, title: id, text, metadata: { id } })
  })
const found = async ({ index }: Documents, query: string): Promise<string[]> => {
  const collection = index.collection("", "default")
  return collection
    ? (await index.search({ collection: collection.id, query, limit: 9 })).map(({ documentId }) => documentId)
    : []
}

test("what was added is there in the next engine, and in those that follow", async () => {
  const { bucket, asked } = memoryBucket(1)
  const [one, other] = [open(bucket), open(bucket)]
  await other.follow()
  await add(one, "a", "The mayor of Tal is Mira Voss.")
  await add(one, "b", "The mayor of Ost is Otto Lind.")
  expect(await found(other, "mayor")).toEqual([])
  await other.follow()
  expect((await found(other, "mayor")).sort()).toEqual(["a", "b"])
  const later = open(bucket)
  await later.follow()
  expect(later.index.collections("")).toEqual(one.index.collections(""))
  const { id } = later.index.collection("", "default")!
  expect(later.index.documents(id)).toEqual(one.index.documents(id))
  // What has not changed is not read again.
  asked.length = 0
  await later.follow()
  expect(asked.filter((each) => each.startsWith("get"))).toEqual([])
})

test("what was replaced or removed is so for the others too", async () => {
  const { bucket } = memoryBucket()
  const [one, other] = [open(bucket), open(bucket)]
  await add(one, "a", "Mira bakes bread.")
  await other.follow()
  await add(one, "a", "Otto mends clocks.")
  await other.follow()
  expect([await found(other, "bread"), await found(other, "clocks")]).toEqual([[], ["a"]])
  await one.change(async () => one.index.removeCollection("", one.index.collection("", "default")!.id))
  await other.follow()
  expect(other.index.collections("")).toEqual([])
  const later = open(bucket)
  await later.follow()
  expect(later.index.collections("")).toEqual([])
})

test("nothing is acknowledged that the bucket did not take, and it goes with the next change", async () => {
  const { bucket, keys } = memoryBucket()
  let isBroken = true
  const put: Bucket["put"] = (...given) => (isBroken ? Promise.reject(new Error("full")) : bucket.put(...given))
  const one = open({ ...bucket, put })
  await expect(add(one, "a", "Mira bakes bread.")).rejects.toThrow("The bucket did not take the documents")
  expect(keys()).toEqual([])
  isBroken = false
  await add(one, "b", "Otto mends clocks.")
  const later = open(bucket)
  await later.follow()
  expect([await found(later, "bread"), await found(later, "clocks")]).toEqual([["a"], ["b"]])
})

test("a bucket that can't be asked is an error at first, and later what was read is used", async () => {
  const { bucket } = memoryBucket()
  let isBroken = true
  const list: Bucket["list"] = (...given) => (isBroken ? Promise.reject(new Error("away")) : bucket.list(...given))
  const one = open({ ...bucket, list })
  await expect(one.follow()).rejects.toThrow("away")
  await add(open(bucket), "a", "Mira bakes bread.")
  isBroken = false
  await one.follow()
  isBroken = true
  await one.follow()
  expect(await found(one, "bread")).toEqual(["a"])
})

test("the bucket is trusted for a while", async () => {
  const { bucket } = memoryBucket()
  let time = 0
  const other = open(bucket, { trustMs: 50, now: () => time })
  await other.follow()
  await add(open(bucket), "a", "Mira bakes bread.")
  await other.follow()
  expect(await found(other, "bread")).toEqual([])
  time = 50
  await other.follow()
  expect(await found(other, "bread")).toEqual(["a"])
})

test("documents have so much room and no more, and what does not fit changes nothing", async () => {
  const one = open(memoryBucket().bucket, { maxBytes: 40 })
  await add(one, "a", "Mira bakes bread.")
  await add(one, "a", "Mira bakes rolls and bread.")
  await expect(add(one, "b", "Otto mends clocks.")).rejects.toThrow("at most 40 bytes of documents")
  expect([await found(one, "bread"), await found(one, "clocks")]).toEqual([["a"], []])
})
