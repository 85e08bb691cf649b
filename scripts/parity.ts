/**
 * @module Compares this toolkit with PyTorch + PEFT on a case folder laid out like test/fixtures/parity/<model>:
 * base logits and greedy output, then each method folder: 20 training losses, the trained adapter's logits, and the
 * adapter that this toolkit trained, written back in PEFT's layout.
 *
 * Usage: bun run parity <case-folder> [--backend native|wasm|webgpu] [--only lora,prompt_tuning] [--out folder] [--json]
 */
import { parseArgs } from "node:util"
import { methods } from "../adapters/mod.ts"
import { messageOf } from "../src/core/errors.ts"
import { type ParityCheck, runParity } from "../src/eval/parity.ts"
import { diskParityCase, writeParityTo } from "../src/eval/parity-case.ts"
import { openBaseFolder } from "../src/presets/open-base.ts"
import { openRuntime } from "../src/presets/open-runtime.ts"
import type { BackendName } from "../src/runtime/runtime.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backend: { type: "string", default: "native" },
    only: { type: "string" },
    out: { type: "string" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})

if (values.help || positionals.length === 0) {
  console.log(`Usage: bun run parity <case-folder>... [--backend native|wasm|webgpu] [--only lora,prompt_tuning] [--out folder] [--threads n] [--json]

Checks base logits and greedy output, then for each method: 20 training losses, the trained adapter's logits, and writes
the adapter it trained in PEFT's layout to --out (default adapters-out/parity). Exit code 1 if any check fails.

Example: bun run parity test/fixtures/parity/llama --backend wasm --only lora`)
  process.exit(values.help ? 0 : 2)
}

let failed = false
const report = (check: ParityCheck): void => {
  failed ||= check.ok === false
  if (values.json) console.log(JSON.stringify(check))
  else {
    const difference = check.max_abs_diff === null ? "" : `  max |diff| ${check.max_abs_diff.toExponential(2)}`
    const verdict = check.ok === true ? "ok" : check.ok === false ? "FAIL" : check.ok
    console.log(
      `${verdict.padEnd(11)} ${check.case}  ${check.method.padEnd(14)} ${check.check}${difference}${check.detail ? `  ${check.detail}` : ""}`,
    )
  }
}

try {
  const { runtime } = await openRuntime(
    values.backend as BackendName | "auto",
    values.threads ? { threads: Number(values.threads) } : {},
  )
  for (const folder of positionals) {
    await runParity(await diskParityCase(folder), {
      runtime,
      methods,
      openBase: async (folder) => (await openBaseFolder(folder)).base,
      only: values.only?.split(",").map((name) => name.trim()) ?? null,
      write: writeParityTo(values.out ?? "adapters-out/parity"),
      report,
    })
  }
  await runtime.dispose()
} catch (error) {
  console.error(messageOf(error))
  process.exit(1)
}
process.exit(failed ? 1 : 0)
