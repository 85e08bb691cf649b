/**
 * @module PyTorch + PEFT's numbers, on both CPU backends.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { type ParityCheck, runParity } from "../../src/eval/parity.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"

/** Methods of each case. */
const everywhere = ["dora", "ia3", "lora", "prefix_tuning", "prompt_tuning"]
const more = ["adalora", "ln_tuning", "p_tuning_lstm", "p_tuning_mlp", "prefix_projection", "rslora", "vera"]
const cases = { llama: [...everywhere, ...more], qwen2: everywhere, gpt2: [...everywhere, ...more] }
const out = mkdtempSync(join(tmpdir(), "espalier-parity-"))
afterAll(() => rmSync(out, { recursive: true, force: true }))

for (const backend of ["native", "wasm"] as const) {
  describe(`${backend} agrees with PyTorch and PEFT`, () => {
    for (const [name, supported] of Object.entries(cases)) {
      test(name, async () => {
        const { runtime } = await openRuntime(backend, { threads: 1 })
        const checks: ParityCheck[] = []
        await runParity(join(import.meta.dir, "..", "fixtures", "parity", name), {
          runtime,
          methods,
          openBase: async (path) => (await openBase(path)).base,
          only: null,
          out,
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
