/**
 * @module Folders behind HTTP.
 */
import { expect, test } from "bun:test"
import { webFolder } from "../../../src/store/web-folder.ts"

const site =
  (files: Readonly<Record<string, string>>) =>
  async (url: string): Promise<Response> => {
    const text = files[url]
    return text === undefined ? new Response("none", { status: 404 }) : new Response(text)
  }

test("a listing and its files read as a folder of the URL's name", async () => {
  const files = {
    "http://x/b/files.json": '["config.json", "w"]',
    "http://x/b/config.json": "{}",
    "http://x/b/w": "abc",
  }
  const folder = await webFolder(site(files), "http://x/b/")
  expect(folder.name).toBe("b")
  expect(await folder.list()).toEqual(["config.json", "w"])
  expect(new TextDecoder().decode(await folder.readRange("w", 1, 3))).toBe("bc")
})

test("a missing or garbled listing, a missing file, and names that lead elsewhere are refused", async () => {
  const at = "http://x/b/"
  expect(webFolder(site({}), at)).rejects.toThrow("Expected files.json below http://x/b/ but found HTTP status 404")
  expect(webFolder(site({ [`${at}files.json`]: "[" }), at)).rejects.toThrow("files.json is not valid JSON")
  expect(webFolder(site({ [`${at}files.json`]: "{}" }), at)).rejects.toThrow("expected a list of file names")
  expect(webFolder(site({ [`${at}files.json`]: '["w"]' }), at)).rejects.toThrow("Expected w below")
  expect(webFolder(site({ [`${at}files.json`]: '["../w"]' }), at)).rejects.toThrow("Not a file name")
})

test("a file is read into place where its length is said, and refused where that is wrong", async () => {
  const sized =
    (length: number, headers = {}) =>
    async (url: string) =>
      url.endsWith("files.json")
        ? new Response('["w"]')
        : new Response("abc", { headers: { "content-length": `${length}`, ...headers } })
  const read = async (fetcher: (url: string) => Promise<Response>) =>
    new TextDecoder().decode(await (await webFolder(fetcher, "http://x/b/")).read("w"))
  expect(await read(sized(3))).toBe("abc")
  for (const length of [2, 4]) expect(read(sized(length))).rejects.toThrow(`w: expected ${length} bytes but 3 came`)
  // Then it is the length of what came, and not of what it is.
  expect(await read(sized(2, { "content-encoding": "identity" }))).toBe("abc")
})
