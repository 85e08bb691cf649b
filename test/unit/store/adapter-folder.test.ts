import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encodeUtf8 } from "../../../src/core/bytes.ts"
import { f32ToF16 } from "../../../src/core/half.ts"
import { f32 } from "../../../src/core/tensor.ts"
import { writeSafetensors } from "../../../src/formats/safetensors.ts"
import {
  adapterHash,
  openAdapterFolder,
  readAdapterFolder,
  writeAdapterFolder,
} from "../../../src/store/adapter-folder.ts"
import { type Folder, memoryFolder } from "../../../src/store/folder.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-adapters-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const tensors = new Map([["w", f32([2, 2], [1, 2, 3, 4])]])
const config = { peft_type: "LORA", r: 2 }

test("an adapter folder comes back as it was written, with a hash of content alone", async () => {
  await writeAdapterFolder(join(root, "one"), { config, tensors, facts: { score: 1 } }, "About")
  await writeAdapterFolder(
    join(root, "two"),
    { config: { r: 2, peft_type: "LORA" }, tensors, facts: null },
    "Otherwise",
  )
  const [one, two] = [await openAdapterFolder(join(root, "one")), await openAdapterFolder(join(root, "two"))]
  expect(one.config).toEqual(config)
  expect(one.tensors.get("w")).toEqual(tensors.get("w")!)
  expect(one.facts).toEqual({
    score: 1,
    files: {
      "adapter_model.safetensors": { bytes: expect.any(Number), sha256: expect.stringMatching(/^[\da-f]{64}$/) },
    },
  })
  expect([one.verified, two.verified]).toEqual([true, false])
  expect(two.hash).toBe(one.hash)
  await writeAdapterFolder(
    join(root, "one"),
    { config, tensors: new Map([["w", f32([2, 2], [1, 2, 3, 5])]]), facts: null },
    "",
  )
  expect((await openAdapterFolder(join(root, "one"))).hash).not.toBe(one.hash)
})

describe("readAdapterFolder() refuses", () => {
  const good = writeSafetensors(tensors)
  const json = JSON.stringify(config)
  const bad: readonly (readonly [string, Record<string, Uint8Array | string>, RegExp])[] = [
    ["a folder without a configuration", { "adapter_model.safetensors": good }, /has no adapter_config\.json/],
    ["a folder without weights", { "adapter_config.json": json }, /has no adapter_model\.safetensors/],
    ["pickled weights", { "adapter_config.json": json, "adapter_model.bin": "x" }, /has no adapter_model\.safetensors/],
    [
      "a configuration that is no JSON",
      { "adapter_config.json": "{", "adapter_model.safetensors": good },
      /adapter_config\.json is not valid JSON/,
    ],
    [
      "a configuration that is no object",
      { "adapter_config.json": "[]", "adapter_model.safetensors": good },
      /expected a JSON object/,
    ],
    [
      "a key that comes twice",
      { "adapter_config.json": '{"r":1,"r":2}', "adapter_model.safetensors": good },
      /comes twice/,
    ],
    ["truncated weights", { "adapter_config.json": json, "adapter_model.safetensors": good.slice(0, -4) }, /truncated/],
    [
      "NaN",
      {
        "adapter_config.json": json,
        "adapter_model.safetensors": writeSafetensors(new Map([["w", f32([1], [Number.NaN])]])),
      },
      /tensor w holds NaN/,
    ],
    [
      "infinities in f16",
      {
        "adapter_config.json": json,
        "adapter_model.safetensors": writeSafetensors(
          new Map([["w", { dtype: "f16", shape: [1], data: f32ToF16(Float32Array.of(1e9)) }]]),
        ),
      },
      /tensor w holds Infinity/,
    ],
    [
      "whole numbers",
      {
        "adapter_config.json": json,
        "adapter_model.safetensors": writeSafetensors(
          new Map([["w", { dtype: "i32", shape: [1], data: Int32Array.of(1) }]]),
        ),
      },
      /tensor w has dtype i32/,
    ],
  ]
  for (const [name, files, message] of bad) {
    test(name, async () => {
      const folder = memoryFolder(
        "a",
        new Map(
          Object.entries(files).map(([file, data]) => [file, typeof data === "string" ? encodeUtf8(data) : data]),
        ),
      )
      expect(readAdapterFolder(folder)).rejects.toThrow(message)
    })
  }

  test("a configuration or facts of more than a megabyte", async () => {
    const long = encodeUtf8(`{"a":"${"x".repeat(2 ** 20)}"}`)
    for (const file of ["adapter_config.json", "espalier.json"]) {
      const files = new Map([
        ["adapter_config.json", encodeUtf8(json)],
        ["adapter_model.safetensors", good],
        [file, long],
      ])
      await expect(readAdapterFolder(memoryFolder("a", files))).rejects.toThrow(`${file} has 1048584 bytes`)
    }
  })

  test("more bytes than allowed", async () => {
    const folder = memoryFolder(
      "a",
      new Map([
        ["adapter_config.json", encodeUtf8(json)],
        ["adapter_model.safetensors", good],
      ]),
    )
    expect(readAdapterFolder(folder, { maxBytes: 10 })).rejects.toThrow(/more than the 10 allowed/)
  })
})

test("adapterHash() sees the values of a configuration and not the order of its keys, at any depth", () => {
  const one = adapterHash({ r: 2, rank_pattern: { a: 1, b: 2 } }, tensors)
  expect(adapterHash({ rank_pattern: { b: 2, a: 1 }, r: 2 }, tensors)).toBe(one)
  expect(adapterHash({ r: 2, rank_pattern: { a: 2, b: 1 } }, tensors)).not.toBe(one)
  expect(adapterHash({ r: 2, rank_pattern: [1, 2] }, tensors)).not.toBe(
    adapterHash({ r: 2, rank_pattern: [2, 1] }, tensors),
  )
})

describe("readAdapterFolder() of a folder that is replaced while it is read", () => {
  /** A folder that is at its next version once its configuration was read, as often as told. */
  function changing(times: number): Folder {
    let version = 0
    const now = () =>
      memoryFolder(
        "a",
        new Map([
          ["adapter_config.json", encodeUtf8(JSON.stringify({ version }))],
          ["adapter_model.safetensors", writeSafetensors(new Map([["w", f32([1], [version])]]))],
        ]),
      )
    return {
      name: "a",
      stamp: async (file) => ((await now().list()).includes(file) ? `${file}:${version}` : null),
      list: () => now().list(),
      size: (file) => now().size(file),
      read: (file) => now().read(file),
      async readRange(file, start, end) {
        const bytes = await now().readRange(file, start, end)
        if (file === "adapter_config.json" && version < times) version++
        return bytes
      },
    }
  }

  test("never mixes two versions", async () => {
    const { config, tensors } = await readAdapterFolder(changing(3))
    expect([config["version"], tensors.get("w")!.data[0]]).toEqual([3, 3])
  })

  test("gives up where it never rests", async () => {
    await expect(readAdapterFolder(changing(Number.POSITIVE_INFINITY))).rejects.toMatchObject({ code: "conflict" })
  })
})
