import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { f32 } from "../../../src/core/tensor.ts"
import type { GgufContent, GgufTensor } from "../../../src/formats/gguf/content.ts"
import { decodeGguf } from "../../../src/formats/gguf/decode.ts"
import type { GgufSource } from "../../../src/formats/gguf/read.ts"
import { readGguf } from "../../../src/formats/gguf/read.ts"
import { ggufTensor, writeGguf } from "../../../src/formats/gguf/write.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { saveGgufBase } from "../../../src/service/save-gguf-base.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

let folder: string
let content: GgufContent
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "espalier-gguf-base-"))
  writeTinyBase(join(folder, "base"), 1)
  const file = join(folder, "base.gguf")
  await runCli("export", "--base", join(folder, "base"), "--to", "gguf", "--out", file)
  content = readGguf(new Uint8Array(readFileSync(file)), "base.gguf")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sourceOf = (changed: GgufContent): GgufSource => {
  const bytes = writeGguf(changed)
  return { name: "x.gguf", size: bytes.length, read: async (start, end) => bytes.slice(start, end) }
}

/** Any bytes are codes; scales must be small and finite. */
function coded(shape: readonly number[], type: "Q8_0" | "Q4_0"): GgufTensor {
  const width = type === "Q8_0" ? 34 : 18
  const blocks = shape.reduce((a, b) => a * b, 1) / 32
  const bytes = Uint8Array.from({ length: blocks * width }, (_, i) => {
    if (i % width === 0) return 0
    return i % width === 1 ? 0x20 : (i * 37) % 256
  })
  return { type, shape, bytes }
}

test("weights in 16, 8 and 4 bits become the numbers that they stand for", async () => {
  const tensors = new Map(content.tensors)
  const up = tensors.get("blk.0.ffn_up.weight")!
  tensors.set("token_embd.weight", ggufTensor(f32([320, 32], decodeGguf(tensors.get("token_embd.weight")!)), "F16"))
  tensors.set("blk.0.ffn_up.weight", coded(up.shape, "Q8_0"))
  tensors.set("blk.1.ffn_up.weight", coded(up.shape, "Q4_0"))
  const report = await saveGgufBase(join(folder, "coded"), sourceOf({ ...content, tensors }))
  expect(report.types).toEqual({ F16: 1, F32: 17, Q8_0: 1, Q4_0: 1 })
  const { base } = await openBase(join(folder, "coded"), { cacheFolder: null })
  for (const [ours, theirs] of [
    ["model.embed_tokens.weight", "token_embd.weight"],
    ["model.layers.0.mlp.up_proj.weight", "blk.0.ffn_up.weight"],
    ["model.layers.1.mlp.up_proj.weight", "blk.1.ffn_up.weight"],
  ] as const)
    expect(await base.read(ours)).toEqual(decodeGguf(tensors.get(theirs)!))
})

test("files that say something else than they hold are refused", async () => {
  const out = join(folder, "refused")
  const without = new Map(content.tensors)
  without.delete("blk.1.attn_k.weight")
  const with_ = (key: string, value: string): GgufContent => ({
    ...content,
    metadata: new Map([...content.metadata, [key, { type: "string", value }]]),
  })
  const cases: [GgufContent, string][] = [
    [{ ...content, tensors: without }, "blk.1.attn_k.weight: expected [16,32] but found [none]"],
    [with_("general.architecture", "mamba"), "bases of mamba can't be read"],
    [with_("llama.rope.scaling.type", "yarn"), "rotation is scaled"],
    [with_("tokenizer.ggml.model", "llama"), "its tokenizer (llama, smollm) can't be read"],
  ]
  for (const [changed, message] of cases) await expect(saveGgufBase(out, sourceOf(changed))).rejects.toThrow(message)
})
