/**
 * @module Buckets over S3's protocol against a server that fails as it is told to, and folders published in them.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { type AddressInfo, createServer } from "node:net"
import type { Bucket } from "../../../src/store/bucket-folder.ts"
import { publishedFolder, publishFolder } from "../../../src/store/published-folder.ts"
import { type S3Options, s3Bucket } from "../../../src/store/s3-bucket.ts"
import { type FakeS3, fakeS3Key, startFakeS3 } from "../../support/fake-s3.ts"

let s3: FakeS3
beforeEach(async () => {
  s3 = await startFakeS3()
})
afterEach(async () => {
  await s3.close()
})

const open = (more: Partial<S3Options> = {}): Bucket =>
  s3Bucket({
    bucket: "models",
    endpoint: s3.endpoint,
    region: "test-1",
    accessKeyId: fakeS3Key,
    secretAccessKey: "secret",
    retryMs: 1,
    ...more,
  })
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = async (object: { arrayBuffer(): Promise<ArrayBuffer> } | null): Promise<string | null> =>
  object && new TextDecoder().decode(await object.arrayBuffer())
const ifAbsent = { onlyIf: { etagDoesNotMatch: "*" } }

describe("s3Bucket()", () => {
  test("puts, looks, reads whole and in parts, and lists over pages", async () => {
    const bucket = open()
    const keys = ["a/x & y.txt", "a/ü", "a/z+1", "b/x"]
    for (const key of keys) await bucket.put(key, bytes(`at ${key}`))
    expect([...s3.objects.keys()].sort()).toEqual(keys.map((key) => `models/${key}`).sort())
    expect(await bucket.head("a/ü")).toEqual({ key: "a/ü", size: 7, etag: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect(await bucket.head("a/none")).toBeNull()
    expect(await textOf(await bucket.get("a/x & y.txt"))).toBe("at a/x & y.txt")
    expect(await textOf(await bucket.get("a/z+1", { range: { offset: 3, length: 3 } }))).toBe("a/z")
    expect(await bucket.get("a/none")).toBeNull()
    const first = await bucket.list({ prefix: "a/" })
    expect([first.objects.length, first.truncated]).toEqual([2, true])
    const second = await bucket.list({ prefix: "a/", cursor: first.cursor! })
    expect([...first.objects, ...second.objects].map(({ key }) => key).sort()).toEqual(keys.slice(0, 3).sort())
    expect(second.truncated).toBe(false)
  })

  test("puts only what there is nothing of, where it is told so", async () => {
    const bucket = open()
    expect(await bucket.put("a", bytes("one"), ifAbsent)).not.toBeNull()
    expect(await bucket.put("a", bytes("two"), ifAbsent)).toBeNull()
    expect(await textOf(await bucket.get("a"))).toBe("one")
  })

  test("tries again what fails in passing, and says so where it goes on failing", async () => {
    const bucket = open()
    await bucket.put("a", bytes("one"))
    s3.failures.push(500, 503, 429)
    s3.asked.length = 0
    expect(await textOf(await bucket.get("a"))).toBe("one")
    expect(s3.asked).toHaveLength(4)
    s3.failures.push(500, 500, 500, 500, 500)
    await expect(bucket.put("b", bytes("x"))).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("it answered 500"),
    })
    expect(s3.objects.has("models/b")).toBe(false)
    const nobody = s3Bucket({ ...options(), endpoint: "http://127.0.0.1:1", retries: 1 })
    await expect(nobody.head("a")).rejects.toMatchObject({ code: "unavailable" })
  })

  test("tries again where the connection ends before the body does", async () => {
    let asked = 0
    const server = createServer((socket) => {
      socket.on("data", () => {
        const body = ++asked < 3 ? "hal" : "whole body"
        socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\n${body}`)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    expect(await textOf(await open({ endpoint: `http://127.0.0.1:${port}` }).get("a"))).toBe("whole body")
    expect(asked).toBe(3)
    server.close()
  })

  test("is refused without the right key, and doesn't ask again", async () => {
    s3.asked.length = 0
    await expect(open({ accessKeyId: "AKIDOTHER" }).head("a")).rejects.toMatchObject({
      code: "invalid_request",
      message: "The bucket refused with 403",
      hint: expect.stringContaining("AWS_ACCESS_KEY_ID"),
    })
    await expect(open({ region: "elsewhere-2" }).get("a")).rejects.toThrow("403 (SignatureDoesNotMatch)")
    expect(s3.asked).toHaveLength(2)
  })
})

const options = (): S3Options => ({
  bucket: "models",
  endpoint: s3.endpoint,
  region: "test-1",
  accessKeyId: fakeS3Key,
  secretAccessKey: "secret",
  retryMs: 1,
})

describe("published folders", () => {
  const files = new Map([
    ["adapter_config.json", bytes('{"peft_type":"LORA"}')],
    ["adapter_model.safetensors", bytes("weights of one")],
  ])

  test("keep a content once, put what names it last, and read as they were published", async () => {
    const bucket = open()
    expect(await publishFolder(bucket, "team/", "support", files)).toEqual({ uploaded: 2 })
    expect(s3.asked.at(-1)).toBe("PUT models/team/adapters/support.json")
    expect(await publishFolder(bucket, "team/", "other", files)).toEqual({ uploaded: 0 })
    expect([...s3.objects.keys()].filter((key) => key.includes("/blobs/"))).toHaveLength(2)
    const folder = await publishedFolder(bucket, "team/", "support")
    expect(await folder.list()).toEqual([...files.keys()])
    expect(await folder.read("adapter_model.safetensors")).toEqual(files.get("adapter_model.safetensors")!)
    expect(await folder.readRange("adapter_model.safetensors", 8, 10)).toEqual(bytes("of"))
    expect(await folder.size("adapter_config.json")).toBe(20)
    await expect(folder.readRange("adapter_config.json", 0, 21)).rejects.toThrow("ended at byte 20")
    await expect(folder.read("none.json")).rejects.toMatchObject({ code: "invalid_file" })
  })

  test("a reader has one version, whatever is published meanwhile; one that breaks off changes nothing", async () => {
    const bucket = open({ retries: 0 })
    await publishFolder(bucket, "", "support", files)
    const folder = await publishedFolder(bucket, "", "support")
    const next = new Map(files).set("adapter_model.safetensors", bytes("weights of two"))
    // Head and put of the first file go well, then the bucket is gone.
    const breaking: Bucket = {
      ...bucket,
      put: (key, ...rest) =>
        key.startsWith("adapters/") ? Promise.reject(new Error("gone")) : bucket.put(key, ...rest),
    }
    await expect(publishFolder(breaking, "", "support", next)).rejects.toThrow("gone")
    const still = await publishedFolder(bucket, "", "support")
    expect(await still.read("adapter_model.safetensors")).toEqual(bytes("weights of one"))
    await publishFolder(bucket, "", "support", next)
    expect(await folder.read("adapter_model.safetensors")).toEqual(bytes("weights of one"))
    const now = await publishedFolder(bucket, "", "support")
    expect(await now.read("adapter_model.safetensors")).toEqual(bytes("weights of two"))
    expect(await now.stamp("adapter_model.safetensors")).not.toBe(await folder.stamp("adapter_model.safetensors"))
  })

  test("what is damaged, cut or gone is found when it is read, and read anew when it has been mended", async () => {
    const bucket = open()
    await publishFolder(bucket, "", "support", files)
    const folder = await publishedFolder(bucket, "", "support")
    for (const failure of ["garbled", "truncated"] as const) {
      s3.failures.push(failure)
      await expect(folder.read("adapter_model.safetensors")).rejects.toMatchObject({
        code: "invalid_file",
        message: expect.stringContaining("support/adapter_model.safetensors is damaged"),
      })
    }
    expect(await folder.read("adapter_model.safetensors")).toEqual(bytes("weights of one"))
    for (const key of s3.objects.keys()) if (key.includes("blobs/")) s3.objects.delete(key)
    const fresh = await publishedFolder(bucket, "", "support")
    await expect(fresh.read("adapter_config.json")).rejects.toThrow("missing from the store")
    expect(await publishFolder(bucket, "", "support", files)).toEqual({ uploaded: 2 })
    expect(await fresh.read("adapter_config.json")).toEqual(files.get("adapter_config.json")!)
    // Half of an object, as a store might keep that doesn't make them whole, is put anew.
    for (const [key, object] of s3.objects) if (key.includes("blobs/")) s3.objects.set(key, object.slice(1))
    expect(await publishFolder(bucket, "", "support", files)).toEqual({ uploaded: 2 })
    const mended = await publishedFolder(bucket, "", "support")
    expect(await mended.read("adapter_config.json")).toEqual(files.get("adapter_config.json")!)
  })

  test("a name that is none, and a manifest that is none", async () => {
    const bucket = open()
    await expect(publishedFolder(bucket, "", "none")).rejects.toMatchObject({ code: "not_found" })
    await expect(publishedFolder(bucket, "", "../x")).rejects.toMatchObject({ code: "invalid_request" })
    for (const text of ["{", "{}", '{"format":"espalier-folder-1","files":{"a":{"sha256":"x","bytes":1}}}']) {
      await bucket.put("adapters/bad.json", bytes(text))
      await expect(publishedFolder(bucket, "", "bad")).rejects.toMatchObject({ code: "invalid_file" })
    }
  })
})
