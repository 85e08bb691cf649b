import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ggufBase } from "../../../src/export/gguf-base.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import { saveGgufBase } from "../../../src/service/save-gguf-base.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { runCli } from "../../support/run-cli.ts"

setDefaultTimeout(60_000)

const fixtures = join(import.meta.dir, "../../fixtures/parity")
const folder = mkdtempSync(join(tmpdir(), "espalier-architectures-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

for (const name of readdirSync(fixtures).filter((entry) => !entry.includes(".")))
  test(`${name}: an rsLoRA goes to llama.cpp and transformers.js, and computes the same`, async () => {
    const base = join(fixtures, name, "base")
    const adapter = join(folder, `${name}-lora`)
    const settings = { rank: 3, rsLora: true }
    await writeRandomAdapter(await openBase(base), adapter, { method: "lora", settings, seed: 1, std: 0.05 })
    for (const to of ["gguf", "onnx"]) {
      const out = join(folder, `${name}-${to}`)
      const { code, err } = await runCli("export", adapter, "--base", base, "--to", to, "--out", out, "--verify")
      expect([to, code, err]).toEqual([to, 0, ""])
    }
  })

/** A byte-level BPE of three tokens. */
const tokenizer = {
  tokenizer: {
    added_tokens: [{ id: 2, content: "<|end|>", special: true }],
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
  },
  config: { eos_token: "<|end|>" },
}

for (const name of ["llama", "llama_bias", "qwen2", "qwen3"])
  test(`${name}: a base goes to GGUF and back with the same weights`, async () => {
    const { base, configJson } = await openBase(join(fixtures, name, "base"))
    const bytes = await ggufBase(base, configJson, tokenizer, base.read)
    const read = async (start: number, end: number) => bytes.slice(start, end)
    const out = join(folder, `${name}-back`)
    await saveGgufBase(out, { name: "x.gguf", size: bytes.length, read })
    const back = await openBase(out)
    expect(back.base.config).toEqual(base.config)
    for (const weight of base.layout.keys()) expect(await back.base.read(weight)).toEqual(await base.read(weight))
  })

test("bases that llama.cpp would compute otherwise are not written as GGUF", async () => {
  for (const [name, message] of [
    ["llama3", "Rotation of type llama3"],
    ["llama_yarn", "Rotation of type yarn"],
    ["qwen2_window", "attention has a window"],
    ["gemma2", "Bases of gemma2"],
  ] as const) {
    const { base, configJson } = await openBase(join(fixtures, name, "base"))
    await expect(ggufBase(base, configJson, tokenizer, base.read)).rejects.toThrow(message)
  }
})
