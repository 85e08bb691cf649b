import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers"
import { decodeGreedy } from "../../../src/eval/greedy.ts"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { openRuntime } from "../../../src/presets/open-runtime.ts"
import { readAdapter } from "../../../src/presets/read-adapter.ts"
import { graphDecoder } from "../../../src/serve/graph-decoder.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

let folder: string
let open: OpenBase
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "espalier-onnx-"))
  writeTinyBase(join(folder, "base"), 1)
  open = await openBase(join(folder, "base"))
  const settings = { method: "dora", seed: 3, mean: 1, std: 0.05 }
  await writeRandomAdapter(open, join(folder, "dora"), settings)
  env.allowRemoteModels = false
  env.localModelPath = folder
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LIMIT = 20

/** What the adapter continues a prompt with, here. */
async function ours(prompt: readonly number[], adapter: string | null): Promise<number[]> {
  const { runtime } = await openRuntime("native")
  const decoder = await graphDecoder({ runtime, base: open.base })
  const bound = adapter && (await decoder.bind(await readAdapter(open, adapter)))
  const found = await decodeGreedy(prompt, { decoder, adapter: bound || null, eosIds: [], limit: LIMIT })
  await decoder.dispose()
  await runtime.dispose()
  return found
}

for (const adapter of [null, "dora"])
  test(`transformers.js writes the same greedy tokens from an exported ${adapter ?? "base"}`, async () => {
    const out = `onnx-${adapter ?? "base"}`
    const which = adapter ? [join(folder, adapter)] : []
    const call = ["export", ...which, "--base", join(folder, "base"), "--to", "onnx", "--out", join(folder, out)]
    expect((await runCli(...call)).err).toBe("")
    const tokenizer = await AutoTokenizer.from_pretrained(out)
    const model = await AutoModelForCausalLM.from_pretrained(out)
    const text = "What colour is the sky?"
    const inputs = tokenizer(text)
    const prompt = Array.from(inputs.input_ids.data as BigInt64Array, Number)
    expect(prompt).toEqual([...open.tokenizer!.encode(text)])
    // Nothing ends it: what comes after many tokens is compared, too.
    const generated = await model.generate({
      ...inputs,
      max_new_tokens: LIMIT,
      min_new_tokens: LIMIT,
      do_sample: false,
      eos_token_id: -1,
    })
    const all = Array.from((generated as unknown as { data: BigInt64Array }).data, Number)
    await model.dispose()
    expect(all.slice(prompt.length)).toEqual(await ours(prompt, adapter && join(folder, adapter)))
  })

test("the folder holds a configuration, a tokenizer and the model with its weights beside it", async () => {
  const at = join(folder, "onnx-files")
  expect((await runCli("export", "--base", join(folder, "base"), "--to", "onnx", "--out", at)).code).toBe(0)
  const config = JSON.parse(readFileSync(join(at, "config.json"), "utf8"))
  expect(config["transformers.js_config"]).toEqual({ dtype: "fp32", use_external_data_format: { "model.onnx": 1 } })
  expect(config.model_type).toBe("llama")
  for (const file of ["tokenizer.json", "tokenizer_config.json", "onnx/model.onnx", "onnx/model.onnx_data"])
    expect(readFileSync(join(at, file)).length).toBeGreaterThan(0)
})

test("a base with slots computes what it did", async () => {
  const call = ["export", "--base", join(folder, "base"), "--to", "onnx", "--out", join(folder, "slots"), "--slots"]
  const { code, err } = await runCli(...call, "--verify")
  expect([code, err]).toEqual([0, ""])
})
