/**
 * @module Forty adapters that are no good, loaded by request: each is refused with its cause and nothing of the server's disk,
 * what serves goes on saying what it said, and no memory stays.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { realpath } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createApp } from "../../routes/app.ts"
import { writeRandomLora } from "../../scripts/random-lora.ts"
import { f32, type Tensor } from "../../src/core/tensor.ts"
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts"
import { openEngineWorker } from "../../src/presets/open-engine.ts"
import type { EngineApi } from "../../src/serve/engine-api.ts"
import { createService } from "../../src/service/service.ts"
import { openSprig, sprigFolder } from "../support/sprig.ts"

const root = realpathSync(mkdtempSync(join(tmpdir(), "espalier-bad-")))
const WEIGHTS = "adapter_model.safetensors"
const CONFIG = "adapter_config.json"
let engine: EngineApi
let app: ReturnType<typeof createApp>

beforeAll(async () => {
  await writeRandomLora(await openSprig(), join(root, "good"), { seed: 1, std: 0.2, settings: { rank: 2 } })
  engine = await openEngineWorker({ base: sprigFolder, backend: "native", threads: 1 })
  app = createApp(createService({ engine, adapterRoot: { path: root, realPath: realpath } }))
  expect((await post("/v1/adapters", { name: "good", path: "good" })).status).toBe(201)
}, 60_000)
afterAll(async () => {
  await engine?.close()
  rmSync(root, { recursive: true, force: true })
})

const post = (path: string, body: unknown) =>
  app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", host: "localhost" },
    body: JSON.stringify(body),
  })

async function said(): Promise<string> {
  const response = await post("/v1/completions", {
    model: "good",
    prompt: "Mira bought",
    max_tokens: 8,
    temperature: 0,
  })
  expect(response.status).toBe(200)
  return ((await response.json()) as { choices: { text: string }[] }).choices[0]!.text
}

type Change = (folder: string) => void

/** The weights file's bytes changed. As it comes from elsewhere: the facts beside it have its hash. */
const bytes =
  (change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): Change =>
  (folder) => {
    const path = join(folder, WEIGHTS)
    writeFileSync(path, change(new Uint8Array(readFileSync(path))))
    rmSync(join(folder, "espalier.json"), { force: true })
  }
const lengthOf = (file: Uint8Array): number => Number(new DataView(file.buffer).getBigUint64(0, true))
const withLength = (length: bigint) =>
  bytes((file) => {
    new DataView(file.buffer).setBigUint64(0, length, true)
    return file
  })
/** The header's JSON changed, the tensors' bytes as they are. */
const header = (change: (json: string) => string): Change =>
  bytes((file) => {
    const end = 8 + lengthOf(file)
    const json = new TextEncoder().encode(change(new TextDecoder().decode(file.subarray(8, end)).trimEnd()))
    const out = new Uint8Array(8 + json.length + file.length - end)
    new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true)
    out.set(json, 8)
    out.set(file.subarray(end), 8 + json.length)
    return out
  })
/** The first tensor's entry changed. */
const entry = (from: RegExp, to: string): Change => header((json) => json.replace(from, to))
const tensors = (change: (all: Map<string, Tensor>) => void): Change =>
  bytes((file) => {
    const all = new Map(readSafetensors(file, "x"))
    change(all)
    return writeSafetensors(all)
  })
/** One tensor in the place of the first whose name matches. */
const tensor = (pick: RegExp, make: (shape: readonly number[]) => Tensor): Change =>
  tensors((all) => {
    const name = [...all.keys()].find((key) => pick.test(key))!
    all.set(name, make(all.get(name)!.shape))
  })
const filled = (shape: readonly number[], value: number): Tensor =>
  f32(shape, new Float32Array(shape[0]! * shape[1]!).fill(value))
const config =
  (change: Record<string, unknown> | string): Change =>
  (folder) => {
    const path = join(folder, CONFIG)
    const json = JSON.parse(readFileSync(path, "utf8")) as object
    writeFileSync(path, typeof change === "string" ? change : JSON.stringify({ ...json, ...change }))
  }
const facts =
  (json: unknown): Change =>
  (folder) =>
    writeFileSync(join(folder, "espalier.json"), JSON.stringify(json))

const bad: readonly (readonly [name: string, change: Change, cause: RegExp])[] = [
  ["cut within the length", bytes((file) => file.slice(0, 5)), /at least 10 bytes but found 5/],
  ["empty", bytes(() => new Uint8Array(0)), /at least 10 bytes but found 0/],
  ["cut after the length", bytes((file) => file.slice(0, 8)), /at least 10 bytes/],
  ["cut within the header", bytes((file) => file.slice(0, 100)), /truncated or no safetensors/],
  ["cut after the header", bytes((file) => file.slice(0, 8 + lengthOf(file))), /truncated/],
  ["cut in the last tensor", (folder) => truncateSync(join(folder, WEIGHTS), 2000), /truncated|sha256/],
  ["one byte short", bytes((file) => file.slice(0, -1)), /truncated/],
  ["one byte too many", bytes((file) => Uint8Array.from([...file, 0])), /bytes too many/],
  ["a header of 0 bytes", withLength(0n), /header of at least 2 bytes but found 0/],
  ["a header of a gigabyte", withLength(2n ** 30n), /header of at most 1048576 bytes/],
  ["a header of 2^63 bytes", withLength(2n ** 63n), /header of at most/],
  ["a header of 2^64 - 1 bytes", withLength(2n ** 64n - 1n), /header of at most/],
  ["noise", bytes((file) => file.map((_, i) => (i * 97 + 13) & 255)), /header of at most/],
  ["a header that is a list", header(() => "[]"), /begin with \{/],
  ["a header cut in the middle", header((json) => json.slice(0, json.length / 2)), /header is not right/],
  ["a header nested deep", header(() => `{"a":${"[".repeat(5000)}`), /nested deeper/],
  ["a header of no UTF-8", bytes((file) => file.map((byte, i) => (i === 12 ? 0xff : byte))), /utf-8/i],
  ["a name that comes twice", header((json) => json.replace(/("[^"]*lora_A[^"]*":\{[^}]*\})/, "$1,$1")), /comes twice/],
  [
    "an overlap",
    entry(/"data_offsets":\[0,(\d+)\]/, '"data_offsets":[4,$1]'),
    /wants \d+ bytes|overlap or leave a hole/,
  ],
  [
    "offsets beyond the file",
    entry(/"data_offsets":\[0,\d+\]/, '"data_offsets":[0,99999999]'),
    /wants \d+ bytes|truncated/,
  ],
  ["offsets before the file", entry(/"data_offsets":\[0,/, '"data_offsets":[-4,'), /no right data_offsets/],
  ["a size below 0", entry(/"shape":\[\d+,/, '"shape":[-1,'), /no right shape/],
  ["sizes that overflow", entry(/"shape":\[\d+,\d+\]/, '"shape":[1099511627776,1099511627776]'), /too large/],
  ["a size of 2^53 + 1", entry(/"shape":\[\d+,/, '"shape":[9007199254740993,'), /no right shape|too large|wants/],
  ["an unknown dtype", entry(/"dtype":"F32"/, '"dtype":"F8_E4M3"'), /has dtype "F8_E4M3"/],
  ["a dtype of the prototype", entry(/"dtype":"F32"/, '"dtype":"constructor"'), /has dtype "constructor"/],
  ["a tensor called __proto__", tensors((all) => all.set("__proto__", filled([1, 1], 0))), /__proto__/],
  [
    "a tensor that nothing knows",
    tensors((all) => all.set("base_model.model.extra.weight", filled([1, 1], 0))),
    /extra/,
  ],
  [
    "a tensor missing",
    tensors((all) => all.delete([...all.keys()].find((key) => key.includes("lora_B"))!)),
    /missing|no tensor|expected/i,
  ],
  ["NaN", tensor(/lora_B/, (shape) => filled(shape, Number.NaN)), /holds NaN/],
  [
    "infinity",
    tensor(/lora_A/, (shape) => filled(shape, Number.POSITIVE_INFINITY)),
    /holds (an infinity|Infinity|infinite)/i,
  ],
  ["another width", tensor(/lora_A/, ([rank]) => filled([rank!, 8], 0)), /expected \[2,\d+\] but found \[2,8\]/],
  ["another height", tensor(/lora_B/, ([, rank]) => filled([8, rank!], 0)), /expected \[\d+,2\] but found \[8,2\]/],
  ["another rank", config({ r: 3 }), /expected \[3,\d+\] but found \[2,\d+\]/],
  ["a rank of 10^9", config({ r: 1e9 }), /rank|\br\b/],
  ["an unknown method", config({ peft_type: "NOPE" }), /"NOPE".* is not a method/],
  ["targets of another architecture", config({ target_modules: ["c_attn"] }), /finds nothing to train/],
  ["a configuration that is no JSON", config("{"), /not valid JSON/],
  ["a configuration without end", config(`{"a": "${"x".repeat(2 ** 21)}"}`), /more than the 1048576 allowed/],
  ["no configuration", (folder) => rmSync(join(folder, CONFIG)), /has no adapter_config.json/],
  ["no weights", (folder) => rmSync(join(folder, WEIGHTS)), /has no adapter_model.safetensors/],
  [
    "pickled weights",
    (folder) => {
      rmSync(join(folder, WEIGHTS))
      writeFileSync(join(folder, "adapter_model.bin"), "cos\nsystem\n(S'true'\ntR.")
    },
    /never read/,
  ],
  [
    "a bit flipped",
    (folder) => flipLastBit(join(folder, WEIGHTS)),
    /expected sha256 [\da-f]{64} but found [\da-f]{64}/,
  ],
  ["another base", facts({ base: { name: "oak", hash: "00" } }), /trained on base "oak"/],
  ["facts that are no object", facts([1]), /expected a JSON object/],
]

function flipLastBit(path: string): void {
  const file = readFileSync(path)
  file[file.length - 4]! ^= 1
  writeFileSync(path, file)
}

test(`${bad.length} adapters that are no good`, async () => {
  const before = await said()
  const failures: string[] = []
  const resident = process.memoryUsage.rss()
  for (const [name, change, cause] of bad) {
    const folder = name.replaceAll(/[^a-z0-9]+/gi, "-")
    cpSync(join(root, "good"), join(root, folder), { recursive: true })
    change(join(root, folder))
    // Under a new name, and in the place of one that serves.
    for (const body of [
      { name: "bad", path: folder },
      { name: "good", path: folder, replace: true },
    ]) {
      const response = await post("/v1/adapters", body)
      const text = await response.text()
      const { error } = JSON.parse(text) as { error?: { message: string } }
      if (response.status < 400 || response.status >= 500) failures.push(`${name}: ${response.status} ${text}`)
      else if (!cause.test(error!.message)) failures.push(`${name}: ${error!.message}`)
      if (text.includes(root) || /\.ts:\d|node_modules/.test(text)) failures.push(`${name} tells a path: ${text}`)
    }
    if ((await said()) !== before) failures.push(`${name} changed what serves`)
  }
  expect(failures).toEqual([])
  expect((await engine.list()).map(({ name }) => name)).toEqual(["good"])
  expect(process.memoryUsage.rss() - resident).toBeLessThan(50 * 2 ** 20)
}, 120_000)

test("a path that leads elsewhere", async () => {
  const outside = mkdtempSync(join(tmpdir(), "espalier-outside-"))
  cpSync(join(root, "good"), join(outside, "secret"), { recursive: true })
  symlinkSync(join(outside, "secret"), join(root, "link"))
  const paths = ["../good", `${root}/../x`, "good/../../x", "/etc", "good\u0000", "%2e%2e/good", "..\\good", "link", ""]
  for (const path of [...paths, "C:\\good", "//good", "s3://bucket/good", "file:///etc", "."]) {
    const response = await post("/v1/adapters", { name: "outside", path })
    const text = await response.text()
    expect([path, response.status >= 400 && response.status < 500]).toEqual([path, true])
    expect(text).not.toContain(outside)
  }
  rmSync(outside, { recursive: true })
})
