/**
 * @module PyTorch + PEFT's numbers, on both CPU backends. A method or architecture that is not there yet is listed here,
 * so that nothing is passed over in silence.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../adapters/mod.ts"
import { type ParityCheck, runParity } from "../../src/eval/parity.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"

const cases = ["llama", "qwen2", "gpt2"]
const supported = ["lora", "prompt_tuning"]
const notYet = ["dora", "ia3", "prefix_tuning"]
const out = mkdtempSync(join(tmpdir(), "espalier-parity-"))
afterAll(() => rmSync(out, { recursive: true, force: true }))

for (const backend of ["native", "wasm"] as const) {
  describe(`${backend} agrees with PyTorch and PEFT`, () => {
    for (const name of cases) {
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
        expect(checks.filter(({ ok }) => ok === "unsupported").map(({ method }) => method)).toEqual(notYet)
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
