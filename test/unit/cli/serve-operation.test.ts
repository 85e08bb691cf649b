import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Io } from "../../../src/cli/command.ts"
import { operationSettings } from "../../../src/cli/serve-operation.ts"

const written: string[] = []
const io: Io = {
  out: () => {},
  err: (text) => void written.push(text),
  isTerminal: false,
  columns: () => 80,
  env: {},
}

test("a file of keys and a single key are asked alike; without either nobody is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keys-"))
  try {
    const path = join(folder, "keys.json")
    const sha256 = createHash("sha256").update("sk-file").digest("hex")
    writeFileSync(path, JSON.stringify({ keys: [{ name: "a", sha256, scopes: ["infer"], tenant: "t" }] }))
    const { keyring } = (await operationSettings({ "api-keys": path }, "sk-single", io)).app
    expect(await keyring!.find("sk-file")).toEqual({ name: "a", tenant: "t", scopes: ["infer"] })
    expect(await keyring!.find("sk-single")).toMatchObject({ tenant: null, scopes: ["admin"] })
    expect(await keyring!.find(sha256)).toBeNull()
    expect((await operationSettings({}, undefined, io)).app.keyring).toBeUndefined()
    writeFileSync(path, '{"keys": [{"name": "A"}]}')
    await expect(operationSettings({ "api-keys": path }, undefined, io)).rejects.toThrow("keys.0.name")
    await expect(operationSettings({ "api-keys": `${path}x` }, undefined, io)).rejects.toThrow("Could not read")
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("origins are as browsers write them", async () => {
  const set = (...origins: string[]) => operationSettings({ "cors-origin": origins }, undefined, io)
  const right = ["https://app.example", "http://localhost:3000", "chrome-extension://abcdef", "*"]
  expect((await set(...right)).app.corsOrigins).toEqual(right)
  await expect(set("https://app.example/")).rejects.toMatchObject({ hint: "Write https://app.example" })
  for (const wrong of ["app.example", "https://", "https://a.example/page", "", "localhost:3000"])
    await expect(set(wrong)).rejects.toThrow(`an origin but found "${wrong}"`)
})

test("times are seconds, here in milliseconds", async () => {
  const given = { "request-timeout": 1.5, "drain-timeout": 0, "shutdown-delay": 0.25 }
  const { app, drainMs, delayMs } = await operationSettings(given, undefined, io)
  expect([app.requestTimeoutMs, drainMs, delayMs]).toEqual([1500, 0, 250])
  expect(await operationSettings({}, undefined, io)).toMatchObject({ drainMs: 30_000, delayMs: 2000 })
})

test("requests are logged as lines of JSON or of text, or not", async () => {
  const entry = { request_id: "r", method: "GET", path: "/a", status: 200, ms: 3, key: null, tenant: null }
  for (const log of ["json", "text"]) (await operationSettings({ log }, undefined, io)).app.onRequest?.(entry)
  expect(JSON.parse(written[0]!)).toEqual({ time: expect.any(String), level: "info", event: "request", ...entry })
  expect(written[1]).toMatch(/^\d{4}-\S+Z 200 3ms GET \/a - r\n$/)
  expect((await operationSettings({}, undefined, io)).app.onRequest).toBeUndefined()
})
