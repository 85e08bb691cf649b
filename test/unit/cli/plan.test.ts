import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../../adapters/mod.ts"
import { bytesOf } from "../../../src/cli/plan.ts"
import { runCli } from "../../support/run-cli.ts"

setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), "espalier-plan-"))
beforeAll(() => {
  const shape = { vocab_size: 32_000, hidden_size: 4096, num_hidden_layers: 4, num_attention_heads: 32 }
  const rest = { num_key_value_heads: 32, intermediate_size: 11_008, max_position_embeddings: 4096 }
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ model_type: "llama", ...shape, ...rest, tie_word_embeddings: false }),
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const plan = (...args: string[]) => runCli("plan", ...args)

describe("espalier plan", () => {
  test("shows parts of training and serving of the embedded base, and their sums", async () => {
    const { code, out } = await plan()
    expect(code).toBe(0)
    expect(out).toContain("Base: sprig (llama, 6 layers, hidden 192)")
    expect(out).toContain("Training by lora, 162.8k values: 8 x 128 tokens, f32 weights, native")
    expect(out).toContain("Serving, adapters ready: 1, sequences in flight: 1, of 128 positions")
    for (const part of ["weights", "trainables", "gradients", "optimizer", "activations", "engine", "total"])
      expect(out).toMatch(new RegExp(`^  ${part} +\\d`, "m"))
  })

  test("writes the same for machines, in the same structure for every method", async () => {
    const { out } = await plan("--method", "prompt_tuning", "--set", "virtualTokens=8", "--json")
    const json = JSON.parse(out)
    expect(json).toMatchObject({ type: "plan", method: "prompt_tuning", batch: 8, length: 128, backend: "native" })
    expect(json.settings.virtualTokens).toBe(8)
    expect(json.training.trainable).toBe(8 * 192)
    expect(Object.keys(json.training.parts)).toEqual([
      "weights",
      "trainables",
      "gradients",
      "optimizer",
      "activations",
      "evaluation",
      "scoring",
      "inputs",
      "checkpoint",
      "engine",
    ])
    expect(Object.keys(json.serving.parts)).toEqual(["weights", "adapters", "kv-cache", "activations", "engine"])
    const sum = Object.values(json.training.parts as Record<string, number>).reduce((a, b) => a + b, 0)
    expect(Math.abs(sum - json.training.total)).toBeLessThan(10)
  })

  test("sets every method beside full fine-tuning", async () => {
    const { out } = await plan("--all", "--batch", "2", "--length", "32")
    for (const { name } of methods) expect(out).toMatch(new RegExp(`^  ${name} .* %$`, "m"))
    expect(out).toMatch(/^ {2}full .* 100 %$/m)
  })

  test("plans a base of which only config.json is there, and proposes what fits", async () => {
    const { code, out } = await plan("--base", folder, "--length", "256", "--budget", "6GB")
    expect(code).toBe(0)
    expect(out).toContain("To fit, this is given up:\n  rows at a time: ")
    expect(out).toMatch(
      /espalier train --base \S+ --method lora .*--batch-size \d+ --accumulation \d+ --max-length 256/,
    )
    const { code: refused, err } = await plan("--base", folder, "--budget", "10MB")
    expect(refused).toBe(2)
    expect(err).toContain("Nothing fits into 10 MB: the least that was found takes")
  })

  const refusals: readonly (readonly [args: string[], code: number, message: string])[] = [
    [["--batch", "0"], 2, "Expected batch to be a whole number from 1 to 65536 but found 0"],
    [["--length", "1.5"], 2, "Expected length to be a whole number from 2 to 1048576 but found 1.5"],
    [["--length", "9000"], 2, "Expected a longest row of at most 512 tokens but found 9000"],
    [["--method", "nonesuch"], 2, "Expected method to be one of lora"],
    [["--set", "rank=none"], 2, "Settings of method lora are wrong: rank"],
    [["--budget", "much"], 2, 'Expected --budget to be a size such as 2GB but found "much"'],
    [["--all", "--budget", "1GB"], 2, "--all and --budget answer different questions"],
    [["--method", "full", "--quantize", "int8"], 2, "Method full trains the base's own weights"],
    [["--base", "nowhere"], 3, "Base folder nowhere has no config.json"],
    [["models/sprig"], 2, 'Expected options alone but found "models/sprig"'],
  ]
  for (const [args, code, message] of refusals) {
    test(`refuses ${args.join(" ")}`, async () => {
      const found = await plan(...args)
      expect(found.err).toContain(message)
      expect(found.code).toBe(code)
    })
  }
})

test("bytesOf() reads sizes in powers of ten and of two", () => {
  expect(["2GB", "512 MiB", "1.5g", "800000"].map(bytesOf)).toEqual([2e9, 512 * 2 ** 20, 1.5e9, 800_000])
})
