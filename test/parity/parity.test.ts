/**
 * @module PyTorch + PEFT's numbers, on both CPU backends, and under the lowering that WebGPU gets.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { type ParityCheck, runParity } from "../../src/eval/parity.ts"
import { diskParityCase, writeParityTo } from "../../src/eval/parity-case.ts"
import { openBaseFolder } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"

/** Methods of each case. */
const everywhere = ["dora", "ia3", "lora", "prefix_tuning", "prompt_tuning"]
const more = ["adalora", "ln_tuning", "p_tuning_lstm", "p_tuning_mlp", "prefix_projection", "rslora", "vera"]
/** Beside a case's other methods. */
const beside: Readonly<Record<string, readonly string[]>> = {
  llama3: [
    "adalora_shared",
    "dora_patterns",
    "lora_layers",
    "lora_patterns",
    "lora_save",
    "lora_tables",
    "lora_tokens",
    "pissa",
  ],
  qwen3: ["lora_save", "lora_tables", "lora_tokens"],
  smollm3: ["lora_mixed"],
}
const cases: Readonly<Record<string, readonly string[]>> = {
  llama: [...everywhere, ...more],
  qwen2: everywhere,
  gpt2: [...everywhere, ...more],
  ...Object.fromEntries(
    ["gemma2", "gemma3", "granite", "llama3", "mistral", "olmo2", "phi3", "qwen3", "smollm3"].map((name) => [
      name,
      [...everywhere, "ln_tuning", ...(beside[name] ?? [])],
    ]),
  ),
  gpt2_gelu: ["lora_bias", "pissa"],
  llama_relu: ["lora_exclude", "lora_only_bias"],
  // Settings that change the frozen base alone.
  ...Object.fromEntries(
    ["llama_bias", "llama_linear", "llama_yarn", "phi3_long", "qwen2_window"].map((name) => [name, []]),
  ),
}
const out = mkdtempSync(join(tmpdir(), "espalier-parity-"))
afterAll(() => rmSync(out, { recursive: true, force: true }))

/** Methods are compared one by one where an engine is met first; elsewhere LoRA's stands for what the others share with it. */
const settings = [
  { title: "native", backend: "native", lowering: "fused", every: () => true },
  { title: "wasm", backend: "wasm", lowering: "fused", every: (name: string) => /^(llama|qwen2|gpt2)$/.test(name) },
  { title: "native under the standard lowering", backend: "native", lowering: "standard", every: () => false },
] as const

for (const { title, backend, lowering, every } of settings) {
  describe(`${title} agrees with PyTorch and PEFT`, () => {
    for (const [name, all] of Object.entries(cases)) {
      const supported = every(name) ? all : all.filter((method) => method === "lora")
      test(name, async () => {
        const { runtime } = await openRuntime(backend, { threads: 1 })
        const checks: ParityCheck[] = []
        await runParity(await diskParityCase(join(import.meta.dir, "..", "fixtures", "parity", name)), {
          runtime: { ...runtime, lowering },
          methods,
          openBase: async (folder) => (await openBaseFolder(folder)).base,
          only: supported,
          write: writeParityTo(out),
          report: (check) => checks.push(check),
        })
        await runtime.dispose()
        expect(checks.filter(({ ok }) => ok === false)).toEqual([])
        expect(checks.filter(({ ok }) => ok === "unsupported")).toEqual([])
        const perMethod = ["losses", "final_loss", "write", "logits_final", "logits_trained"]
        const passed = checks.filter(({ ok }) => ok === true).map(({ method, check }) => `${method} ${check}`)
        expect(passed.sort()).toEqual(
          [
            "base greedy",
            "base logits",
            ...supported.flatMap((method) => perMethod.map((check) => `${method} ${check}`)),
          ].sort(),
        )
      }, 60_000)
    }
  })
}
