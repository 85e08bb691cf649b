import { afterAll, beforeAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openBase } from "../../../src/presets/open-base.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

let folder: string
const at = (name: string): string => join(folder, name)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "espalier-export-cli-"))
  writeTinyBase(at("base"), 1)
  writeTinyBase(at("other"), 2)
  const open = await openBase(at("base"))
  const write = (method: string, mean: number, settings = {}) =>
    writeRandomAdapter(open, at(method), { method, seed: 3, mean, std: 0.05, settings })
  await write("lora", 0, { rsLora: true })
  await write("dora", 1)
  await write("bottleneck", 0)
  await write("prompt_tuning", 0)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const exported = (adapter: string, to: string, ...more: string[]) =>
  runCli("export", at(adapter), "--to", to, "--out", at(`out-${adapter}-${to}`), "--base", at("base"), ...more)

for (const [adapter, to] of [
  ["lora", "peft"],
  ["lora", "gguf"],
  ["lora", "mlx"],
  ["lora", "onnx_adapter"],
  ["lora", "merged"],
  ["lora", "onnx"],
  ["dora", "mlx"],
  ["dora", "merged"],
  ["bottleneck", "adapter-hub"],
  ["prompt_tuning", "peft"],
] as const)
  test(`export --verify of ${adapter} to ${to} finds the same logits`, async () => {
    const { code, records, err } = await exported(adapter, to, "--verify", "--json")
    expect(err).toBe("")
    expect(code).toBe(0)
    const { relative, tokens } = records[0]!["difference"] as { relative: number; tokens: number }
    expect(relative).toBeLessThanOrEqual(1e-5)
    expect(tokens).toBeGreaterThan(10)
    expect(existsSync(at(`out-${adapter}-${to}`))).toBe(true)
  })

test("import reads what export wrote, says from what, and binds it to its base", async () => {
  await exported("lora", "mlx")
  const { code, out, err } = await runCli("import", at("out-lora-mlx"), "--out", at("back"), "--base", at("base"))
  expect([code, err]).toEqual([0, ""])
  expect(out).toContain("Read from mlx (lora)")
  const facts = JSON.parse(readFileSync(join(at("back"), "espalier.json"), "utf8"))
  expect(facts.base.name).toBe("base")
  expect(facts.imported).toEqual({ format: "mlx" })
  const again = await runCli(
    "export",
    at("back"),
    "--to",
    "gguf",
    "--out",
    at("x.gguf"),
    "--base",
    at("base"),
    "--verify",
  )
  expect([again.code, again.err]).toEqual([0, ""])
})

test("an adapter of another base is refused with both names, and taken with --force", async () => {
  const call = ["export", at("lora"), "--to", "gguf", "--out", at("other.gguf"), "--base", at("other")]
  const refused = await runCli(...call)
  expect(refused.code).toBe(3)
  expect(refused.err).toContain('base "base"')
  expect(refused.err).toContain('"other"')
  expect((await runCli(...call, "--force")).code).toBe(0)
})

test("what is wrong is said: no adapter, no format, an unknown file, a format that can't hold it", async () => {
  expect((await runCli("export")).err).toContain("Expected one adapter")
  expect((await runCli("export", at("lora"))).err).toContain("Expected a format with --to")
  expect((await runCli("import", at("base"), "--out", at("y"), "--base", at("base"))).err).toContain(
    "--from: peft, gguf",
  )
  expect((await exported("dora", "gguf")).err).toContain("--to merged adds it to the base's weights, exactly")
  expect((await exported("prompt_tuning", "merged")).err).toContain("a soft prompt")
})

test("a base goes to GGUF and back with the same weights and tokens", async () => {
  const file = at("base.gguf")
  const made = await runCli("export", "--base", at("base"), "--to", "gguf", "--out", file, "--verify", "--json")
  expect([made.code, made.err]).toEqual([0, ""])
  expect((made.records[0]!["difference"] as { relative: number }).relative).toBe(0)
  const back = await runCli("import", file, "--out", at("base-back"))
  expect([back.code, back.err]).toEqual([0, ""])
  expect(back.out).toContain("llama, tensors: 20 F32")
  const [expected, found] = [await openBase(at("base")), await openBase(at("base-back"))]
  expect(found.base.hash).toBe(expected.base.hash)
  const text = "What colour is the sky, in 1999? <|user|> Blé <|end|>"
  expect([...found.tokenizer!.encode(text)]).toEqual([...expected.tokenizer!.encode(text)])
  expect(found.tokenizer!.eosId).toBe(expected.tokenizer!.eosId)
})
