import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openBase } from "../../../../src/presets/open-base.ts"
import { idOfSnapshot } from "../../../../src/store/hub/id-of-snapshot.ts"
import { pullModel } from "../../../../src/store/hub/pull.ts"
import { type HubSettings, hubSettings, isHubId, parseHubId } from "../../../../src/store/hub/settings.ts"
import { runCliWith } from "../../../support/run-cli.ts"
import { writeTinyBase } from "../../../support/tiny-base.ts"

const COMMIT = "0123456789abcdef0123456789abcdef01234567"
const ID = "someone/tiny"

let folder: string
/** What the hub has, by name. */
const files = new Map<string, Uint8Array>()
/** What it was asked for, as `name from-`. */
let asked: string[] = []
/** Bytes of an answer after which the connection breaks, once. */
let breakAfter: number | null = null
let token: string | null = null
let damaged = false
let down = false

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
const gitHash = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")
const isLarge = (name: string): boolean => name.endsWith(".safetensors")

/** The part of the hub's API that pulling needs. */
const server = Bun.serve({
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url)
    if (down) return new Response("out of order", { status: 500 })
    if (token !== null && request.headers.get("authorization") !== `Bearer ${token}`)
      return Response.json({ error: "Access is restricted" }, { status: 401 })
    if (pathname === `/api/models/${ID}/revision/main` || pathname === `/api/models/${ID}/revision/${COMMIT}`)
      return Response.json({ _id: "1", id: ID, sha: COMMIT, lastModified: "2026-01-01T00:00:00Z" })
    if (pathname === `/api/models/${ID}/tree/${COMMIT}`) {
      const entries = [...files].map(([path, bytes]) => ({
        type: "file",
        path,
        size: bytes.length,
        oid: gitHash(bytes),
        ...(isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
      }))
      return Response.json([{ type: "directory", path: "onnx", size: 0, oid: "x" }, ...entries])
    }
    const name = pathname.startsWith(`/${ID}/resolve/${COMMIT}/`) ? pathname.split("/").at(-1)! : ""
    const bytes = files.get(name)
    if (!bytes)
      return Response.json({ error: "Not found" }, { status: 404, headers: { "X-Error-Code": "EntryNotFound" } })
    const [, from = "0", to = ""] = /bytes=(\d+)-(\d*)/.exec(request.headers.get("range") ?? "") ?? []
    const end = to === "" ? bytes.length : Math.min(Number(to) + 1, bytes.length)
    let body = bytes.slice(Number(from), end)
    if (!(from === "0" && end === 1)) {
      asked.push(`${name} ${from}-`)
      if (damaged) body = body.map((byte) => byte ^ 1)
    }
    const headers = { etag: `"${name}"`, "content-range": `bytes ${from}-${end - 1}/${bytes.length}` }
    if (breakAfter === null || body.length <= breakAfter) return new Response(body, { status: 206, headers })
    const part = body.slice(0, breakAfter)
    breakAfter = null
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(part)
        controller.close()
      },
    })
    return new Response(broken, { status: 206, headers })
  },
})

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-hub-"))
  writeTinyBase(join(folder, "base"), 1)
  for (const name of readdirSync(join(folder, "base")))
    files.set(name, new Uint8Array(readFileSync(join(folder, "base", name))))
  files.set("pytorch_model.bin", new Uint8Array(10))
  files.set("README.md", new Uint8Array(10))
})
afterEach(() => {
  asked = []
  token = null
  damaged = false
  down = false
  breakAfter = null
})
afterAll(async () => {
  await server.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

let count = 0
const settings = (more: Partial<HubSettings> = {}): HubSettings => ({
  endpoint: `http://localhost:${server.port}`,
  token: null,
  cache: join(folder, `cache-${count++}`),
  offline: false,
  ...more,
})
const pull = (hub: HubSettings, revision = "main") => pullModel({ id: ID, revision }, hub, { retryDelay: 1 })

test("a base is fetched as Hugging Face's libraries keep it, without what no base needs, and opens by its id", async () => {
  const hub = settings()
  const { path, commit, kept } = await pull(hub)
  const home = join(hub.cache, "models--someone--tiny")
  expect([path, commit, kept]).toEqual([join(home, "snapshots", COMMIT), COMMIT, false])
  expect(readFileSync(join(home, "refs", "main"), "utf8")).toBe(COMMIT)
  expect(readdirSync(path).sort()).toEqual(
    ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"].sort(),
  )
  const weights = files.get("model.safetensors")!
  expect(readlinkSync(join(path, "model.safetensors"))).toBe(join("..", "..", "blobs", sha256(weights)))
  expect(existsSync(join(home, "blobs", gitHash(files.get("config.json")!)))).toBe(true)
  const { base, tokenizer } = await openBase(path, { cacheFolder: null })
  expect(base.name).toBe(ID)
  expect(tokenizer).not.toBeNull()
  asked = []
  expect((await pull(hub)).path).toBe(path)
  expect((await pull(hub, COMMIT)).path).toBe(path)
  expect(asked).toEqual([])
})

test("a connection that breaks goes on where it broke, and so does another run", async () => {
  const hub = settings()
  breakAfter = 10_000
  const { path } = await pull(hub)
  const parts = asked.filter((line) => line.startsWith("model.safetensors"))
  expect(parts.length).toBe(2)
  expect(parts[0]).toBe("model.safetensors 0-")
  expect(Number(parts[1]!.split(" ")[1]!.slice(0, -1))).toBeGreaterThan(0)
  expect(sha256(new Uint8Array(readFileSync(join(path, "model.safetensors"))))).toBe(
    sha256(files.get("model.safetensors")!),
  )

  const other = settings()
  const weights = files.get("model.safetensors")!
  await pull(other)
  const blob = join(other.cache, "models--someone--tiny", "blobs", sha256(weights))
  rmSync(blob)
  writeFileSync(`${blob}.incomplete`, weights.subarray(0, 777))
  asked = []
  await pull(other)
  expect(asked).toEqual(["model.safetensors 777-"])
})

test("a wrong checksum is an error that names both, and nothing of it stays", async () => {
  const hub = settings()
  damaged = true
  await expect(pull(hub)).rejects.toThrow(/config\.json: expected checksum [\da-f]{40} but found [\da-f]{40}/)
  expect(readdirSync(join(hub.cache, "models--someone--tiny", "blobs"))).toEqual([])
  damaged = false
  expect((await pull(hub)).kept).toBe(false)
})

test("offline, and when the hub is out of order, what was fetched is taken", async () => {
  const hub = settings()
  await expect(pull({ ...hub, offline: true })).rejects.toThrow("HF_HUB_OFFLINE is set")
  down = true
  await expect(pull(hub)).rejects.toThrow("can't be asked")
  down = false
  const { path } = await pull(hub)
  down = true
  asked = []
  expect(await pull({ ...hub, offline: true })).toEqual({ path, commit: COMMIT, kept: true })
  expect(await pull(hub)).toEqual({ path, commit: COMMIT, kept: true })
  rmSync(join(path, "model.safetensors"))
  await expect(pull({ ...hub, offline: true })).rejects.toThrow("not kept here")
})

test("tokens are sent, and asked for where there is none", async () => {
  token = "hf_secret"
  await expect(pull(settings())).rejects.toThrow("private or gated")
  expect((await pull(settings({ token: "hf_secret" }))).commit).toBe(COMMIT)
})

test("a model that there is none of, and one of pickles, are refused", async () => {
  await expect(pullModel({ id: "someone/none", revision: "main" }, settings())).rejects.toThrow("no model someone/none")
  const weights = files.get("model.safetensors")!
  files.delete("model.safetensors")
  await expect(pull(settings())).rejects.toThrow("neither model.safetensors nor")
  files.set("model.safetensors", weights)
})

test("shards are fetched as the index names them", async () => {
  const weights = files.get("model.safetensors")!
  const shard = "model-00001-of-00001.safetensors"
  const length = Number(new DataView(weights.buffer, weights.byteOffset).getBigUint64(0, true))
  const names = Object.keys(JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length))))
  const weight_map = Object.fromEntries(names.filter((name) => name !== "__metadata__").map((name) => [name, shard]))
  files.delete("model.safetensors")
  files.set(shard, weights)
  files.set("model.safetensors.index.json", new TextEncoder().encode(JSON.stringify({ weight_map })))
  try {
    const { path } = await pull(settings())
    expect((await openBase(path, { cacheFolder: null })).base.layout.size).toBe(20)
  } finally {
    files.delete(shard)
    files.delete("model.safetensors.index.json")
    files.set("model.safetensors", weights)
  }
})

test("settings are those of Hugging Face's own libraries", () => {
  const env = { HF_ENDPOINT: "https://hub.test/", HF_TOKEN: "t", HF_HUB_CACHE: "/c", HF_HUB_OFFLINE: "1" }
  expect(hubSettings(env)).toEqual({ endpoint: "https://hub.test", token: "t", cache: "/c", offline: true })
  const home = hubSettings({ HF_HOME: join(folder, "home") })
  expect([home.endpoint, home.cache]).toEqual(["https://huggingface.co", join(folder, "home", "hub")])
  expect(parseHubId("a/b@v1.0")).toEqual({ id: "a/b", revision: "v1.0" })
  expect(parseHubId("a/b")).toEqual({ id: "a/b", revision: "main" })
  expect(["./a/b", "/a/b", "a", "a/b/c", "../b", "a/..", "a/b@../x"].filter(isHubId)).toEqual([])
  expect(idOfSnapshot("/c/models--a--b/snapshots/0123")).toBe("a/b")
  expect(idOfSnapshot("/c/a/b")).toBeNull()
})

test("espalier pull says where the base is, and --base takes its id", async () => {
  const cache = join(folder, "cli-cache")
  const env = { HF_ENDPOINT: `http://localhost:${server.port}`, HF_HUB_CACHE: cache, HF_HOME: folder }
  const pulled = await runCliWith(env, "pull", ID)
  expect([pulled.code, pulled.out]).toEqual([
    0,
    `someone/tiny (0123456789ab) is in ${join(cache, "models--someone--tiny", "snapshots", COMMIT)}\n`,
  ])
  expect(pulled.err).toContain("model.safetensors")
  const out = join(folder, "pulled.gguf")
  const used = await runCliWith(env, "export", "--base", ID, "--to", "gguf", "--out", out)
  expect([used.code, existsSync(out)]).toEqual([0, true])
})
