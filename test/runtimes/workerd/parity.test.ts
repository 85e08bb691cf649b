/**
 * @module PyTorch + PEFT's numbers, computed inside real workerd.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Miniflare } from "miniflare"
import { bundleWorker } from "../../../scripts/build-worker.ts"
import { hasWorkerd, startWorkerd } from "../../../scripts/workerd.ts"
import type { ParityCheck } from "../../../src/eval/parity.ts"
import { listFiles } from "../../support/list-files.ts"
import { root } from "../../support/source-tree.ts"

/** Methods of each case: one of every way in which a method touches the base. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ["llama", ["dora", "ia3", "lora", "prefix_tuning", "prompt_tuning", "p_tuning_mlp", "vera"]],
  ["qwen2", ["lora"]],
  ["gpt2", ["lora", "ln_tuning"]],
  ["qwen3", ["lora"]],
  ["gemma3", ["lora"]],
]
const entry = `import { handleRequest, ParityEngine } from "./test/runtimes/workerd/parity-worker.ts"
const worker = { fetch: handleRequest }
export { ParityEngine, worker as default }
`
const folder = mkdtempSync(join(tmpdir(), "espalier-workerd-parity-"))
let workerd: Miniflare

beforeAll(async () => {
  if (!hasWorkerd) return
  await bundleWorker(entry, folder)
  for (const [name] of cases) {
    const assets = join(folder, "assets", name)
    cpSync(join(root, "test", "fixtures", "parity", name), assets, { recursive: true })
    listFiles(assets)
  }
  workerd = await startWorkerd(folder, {}, { engine: "ParityEngine" })
}, 120_000)
afterAll(async () => {
  await workerd?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

for (const [name, methods] of cases)
  test.skipIf(!hasWorkerd)(
    `workerd agrees with PyTorch and PEFT: ${name}`,
    async () => {
      const response = await workerd.dispatchFetch("http://localhost/", {
        method: "POST",
        body: JSON.stringify({ case: name, methods }),
      })
      expect(response.status).toBe(200)
      const checks = (await response.json()) as ParityCheck[]
      expect(checks.filter(({ ok }) => ok !== true)).toEqual([])
      const perMethod = ["losses", "final_loss", "write", "logits_final", "logits_trained"]
      expect(checks.map(({ method, check }) => `${method} ${check}`).sort()).toEqual(
        [
          "base greedy",
          "base logits",
          ...methods.flatMap((each) => perMethod.map((check) => `${each} ${check}`)),
        ].sort(),
      )
      expect(new Set(checks.map(({ backend }) => backend))).toEqual(new Set(["wasm"]))
    },
    120_000,
  )
