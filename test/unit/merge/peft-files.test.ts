import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { f32 } from "../../../src/core/tensor.ts"
import type { Form } from "../../../src/forms/form.ts"
import { mergeAdapters } from "../../../src/merge/merge.ts"
import { peftFiles } from "../../../src/merge/peft-files.ts"
import { targetNames } from "../../../src/merge/peft-parts.ts"
import type { MergeMethod } from "../../../src/merge/recipe.ts"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { readAdapter } from "../../../src/presets/read-adapter.ts"
import { saveMerged } from "../../../src/service/save-merged.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), "espalier-peft-files-"))
let open: OpenBase
let gpt2: OpenBase
beforeAll(async () => {
  writeTinyBase(join(root, "twig"), 1)
  open = await openBase(join(root, "twig"))
  gpt2 = await openBase(join(import.meta.dir, "..", "..", "fixtures", "parity", "gpt2", "base"))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const byPlace = (forms: readonly Form[]): Form[] => [...forms].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
const keyOf = (form: Form): string =>
  "path" in form
    ? `${form.form} ${form.path}`
    : form.form === "prefix"
      ? `${form.layer}`
      : form.form === "weights"
        ? form.name
        : ""

interface Row {
  readonly method: string
  readonly one: Readonly<Record<string, unknown>>
  readonly two: Readonly<Record<string, unknown>>
  readonly merges: readonly MergeMethod[]
}
const rows: readonly Row[] = [
  { method: "lora", one: { rank: 2 }, two: { rank: 3, rsLora: true }, merges: ["linear", "svd", "ties"] },
  {
    method: "lora",
    one: { rank: 2, loraBias: true },
    two: { rank: 3, loraBias: false, targets: ["q_proj", "c_attn"] },
    merges: ["linear", "cat", "ties"],
  },
  { method: "dora", one: { rank: 2 }, two: { rank: 2, targets: ".*mlp.*" }, merges: ["svd", "magnitude"] },
  {
    method: "ia3",
    one: {},
    two: { targets: ["k_proj", "c_attn", "down_proj", "mlp.c_proj"] },
    merges: ["linear", "product"],
  },
  { method: "bitfit", one: {}, two: { targets: ".*\\.1\\..*" }, merges: ["linear", "dare"] },
  { method: "ln_tuning", one: {}, two: { targets: ["norm", "ln_f"] }, merges: ["linear"] },
  { method: "prompt_tuning", one: { virtualTokens: 3 }, two: { virtualTokens: 3 }, merges: ["linear", "cat"] },
  { method: "prefix_tuning", one: { virtualTokens: 2 }, two: { virtualTokens: 2 }, merges: ["linear", "cat"] },
  {
    method: "bottleneck",
    one: { kind: "houlsby" },
    two: { kind: "houlsby", reductionFactor: 3 },
    merges: ["cat"],
  },
  { method: "bottleneck", one: { kind: "parallel" }, two: { kind: "parallel", layers: [1] }, merges: ["cat"] },
]

describe("a merge written and read back is the merge", () => {
  for (const [name, base] of [
    ["llama", () => open],
    ["gpt2", () => gpt2],
  ] as const)
    for (const { method, one, two, merges } of rows)
      for (const merge of merges)
        test(`${method} by ${merge} on ${name}`, async () => {
          const where = { base: base().base, folder: (file: string) => join(root, `${name}-${file}`) }
          await writeRandomAdapter(base(), where.folder("one"), { method, settings: one, seed: 1, mean: 1 })
          await writeRandomAdapter(base(), where.folder("two"), { method, settings: two, seed: 2, mean: 1 })
          const adapters = [
            await readAdapter(base(), where.folder("one")),
            await readAdapter(base(), where.folder("two")),
          ]
          const weight = merge === "cat" && /prompt|prefix/.test(method) ? 1 : 0.5
          const sources = adapters.map(({ forms }, i) => ({ name: `${i}`, forms, weight }))
          const sites = where.base.architecture.sites(where.base.config)
          const merging = { name, sites, read: (weight: string) => where.base.read(weight) }
          const recipe = { method: merge }
          const merged = await mergeAdapters(sources, recipe, merging)
          await saveMerged(where.folder("out"), { base: where.base, ...merged, recipe, sources: [] })
          const { forms } = await readAdapter(base(), where.folder("out"))
          // What the file has to fill up changes nothing: zeros.
          const given = new Set(merged.forms.map(keyOf))
          const rest = forms.filter((form) => !given.has(keyOf(form)))
          for (const form of rest) {
            if (form.form === "bias") expect(Math.max(...form.vector.data.map(Math.abs))).toBe(0)
            else if (form.form === "bottleneck") expect(Math.max(...form.up.data.map(Math.abs))).toBe(0)
            else throw new Error(`${keyOf(form)} was not in the merge`)
          }
          const back = byPlace(forms.filter((form) => given.has(keyOf(form))))
          if (method !== "bottleneck") expect(back).toEqual(byPlace(merged.forms))
          else for (const [i, form] of byPlace(merged.forms).entries()) expect(back[i]).toEqual(widened(form, back[i]!))
        })
})

/** A bottleneck as wide as another, with zeros. */
function widened(form: Form, like: Form): Form {
  if (form.form !== "bottleneck" || like.form !== "bottleneck") throw new TypeError("Expected bottlenecks")
  const [hidden, size] = form.up.shape as [number, number]
  const width = like.downBias.data.length
  const down = new Float32Array(width * hidden)
  down.set(form.down.data)
  const downBias = new Float32Array(width)
  downBias.set(form.downBias.data)
  const up = new Float32Array(hidden * width)
  for (let o = 0; o < hidden; o++) for (let i = 0; i < size; i++) up[o * width + i] = form.up.data[o * size + i]!
  return {
    ...form,
    down: f32([width, hidden], down),
    downBias: f32([width], downBias),
    up: f32([hidden, width], up),
  }
}

test("targetNames() takes the last parts of paths only where no other module has them", () => {
  const sites = open.base.architecture.sites(open.base.config)
  const q = (layer: number) => `model.layers.${layer}.self_attn.q_proj`
  expect(targetNames([q(0), q(1)], sites)).toEqual(["q_proj"])
  expect(targetNames([q(1), "model.norm"], sites)).toEqual([q(1), "norm"])
})

test("peftFiles() refuses what no one folder holds", () => {
  const vector = f32([1], [1])
  const base = { config: open.base.config, sites: [] }
  const mixed: Form[] = [
    { form: "bias", path: "a", vector },
    { form: "prompt", embeddings: f32([1, 1], [1]) },
  ]
  expect(() => peftFiles(mixed, base)).toThrow("An adapter folder can't hold bias and prompt")
  const both: Form[] = [
    { form: "scale", path: "a", side: "input", vector },
    { form: "scale", path: "a", side: "output", vector },
  ]
  expect(() => peftFiles(both, base)).toThrow("a, and these do both")
})
