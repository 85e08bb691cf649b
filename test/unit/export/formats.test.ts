import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { exportBase, loadedOf } from "../../../src/cli/adapter-files.ts"
import type { ExportAdapter } from "../../../src/export/format.ts"
import { turnRows } from "../../../src/export/gguf-names.ts"
import { adapterFormats } from "../../../src/export/mod.ts"
import { readGguf } from "../../../src/formats/gguf/read.ts"
import { readOnnxAdapter } from "../../../src/formats/onnx-adapter.ts"
import { readSafetensors } from "../../../src/formats/safetensors.ts"
import type { LowrankForm } from "../../../src/forms/form.ts"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { readAdapterFiles } from "../../../src/presets/read-adapter.ts"
import { writeRandomAdapter } from "../../support/random-adapter.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

let folder: string
let open: OpenBase
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "espalier-export-"))
  writeTinyBase(join(folder, "base"), 1)
  open = await openBase(join(folder, "base"), { cacheFolder: null })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
async function adapter(method: string, settings: Record<string, unknown> = {}): Promise<ExportAdapter> {
  const path = join(folder, `${method}-${count++}`)
  await writeRandomAdapter(open, path, { method, settings, seed: count, mean: method === "dora" ? 1 : 0 })
  const { files, loaded } = await readAdapterFiles(open, path)
  const { config, tensors } = files
  return { name: "card.v2", method, forms: loaded.forms, config, tensors }
}
const format = (name: string) => adapterFormats.find((each) => each.name === name)!
const byPath = (forms: ExportAdapter["forms"]) =>
  new Map(forms.flatMap((form) => (form.form === "lowrank" ? [[form.path, form]] : []))) as Map<string, LowrankForm>

const loras: Record<string, Record<string, unknown>> = {
  LoRA: { rank: 4, alpha: 8 },
  rsLoRA: { rank: 3, alpha: 8, rsLora: true },
  "LoRA of some layers": { rank: 2, targets: ["q_proj", "v_proj"], layers: [1] },
}

for (const name of ["peft", "gguf", "mlx", "onnx_adapter"])
  for (const [kind, settings] of Object.entries(loras))
    test(`${kind} to ${name} and back has the same factors to the bit, and its scales`, async () => {
      const source = await adapter("lora", settings)
      const base = exportBase(open)
      const back = await loadedOf(open, format(name).read(format(name).write(source, base), base))
      const [expected, found] = [byPath(source.forms), byPath(back.forms)]
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
      for (const [path, { a, b, scale }] of expected) {
        expect(found.get(path)!.a).toEqual(a)
        expect(found.get(path)!.b).toEqual(b)
        // GGUF and ONNX Runtime's file hold it as f32.
        expect(Math.abs(found.get(path)!.scale / scale - 1)).toBeLessThan(1e-7)
      }
    })

for (const name of ["peft", "gguf", "mlx", "onnx_adapter"])
  test(`ranks and scales of their own come through ${name} as the same products`, async () => {
    const settings = {
      rank: 2,
      alpha: 6,
      rankPattern: { "layers.1.self_attn.q_proj": 4 },
      alphaPattern: { down_proj: 3 },
    }
    const source = await adapter("lora", settings)
    const base = exportBase(open)
    const back = byPath((await loadedOf(open, format(name).read(format(name).write(source, base), base))).forms)
    for (const [path, form] of byPath(source.forms)) {
      const [wanted, found] = [product(form), product(back.get(path)!)]
      for (const [i, x] of wanted.entries()) expect(Math.abs(x - found[i]!)).toBeLessThan(1e-6)
    }
  })

/** scale B A, flat [out, in]. */
function product({ a, b, scale }: LowrankForm): number[] {
  const [rank, columns] = a.shape as [number, number]
  return Array.from({ length: b.shape[0]! * columns }, (_, at) => {
    const [o, i] = [Math.floor(at / columns), at % columns]
    let sum = 0
    for (let k = 0; k < rank; k++) sum += b.data[o * rank + k]! * a.data[k * columns + i]!
    return scale * sum
  })
}

describe("gguf", () => {
  test("has llama.cpp's keys, names and shapes", async () => {
    const source = await adapter("lora", { rank: 3, alpha: 8, rsLora: true, targets: ["q_proj", "down_proj"] })
    const { metadata, tensors } = readGguf(format("gguf").write(source, exportBase(open)).get("adapter")!, "x")
    expect(Object.fromEntries([...metadata].map(([key, { value }]) => [key, value]))).toEqual({
      "general.architecture": "llama",
      "general.type": "adapter",
      "adapter.type": "lora",
      "general.name": "card.v2",
      // alpha / sqrt(r), which llama.cpp divides by r.
      "adapter.lora.alpha": Math.fround(8 * Math.sqrt(3)),
    })
    expect(Object.fromEntries([...tensors].slice(0, 4).map(([name, { shape }]) => [name, shape]))).toEqual({
      "blk.0.attn_q.weight.lora_a": [3, 32],
      "blk.0.attn_q.weight.lora_b": [32, 3],
      "blk.0.ffn_down.weight.lora_a": [3, 64],
      "blk.0.ffn_down.weight.lora_b": [32, 3],
    })
  })

  test("turns rows of q and k as llama.cpp's converter does", () => {
    // reshape(heads, 2, headDim / 2, columns).swapaxes(1, 2) of rows 0..7 with 2 heads of 4.
    const rows = Float32Array.from({ length: 8 }, (_, i) => i)
    expect([...turnRows(rows, 2, 4, false)]).toEqual([0, 2, 1, 3, 4, 6, 5, 7])
    expect(turnRows(turnRows(rows, 2, 4, false), 2, 4, true)).toEqual(rows)
  })
})

describe("mlx", () => {
  test("has factors transposed, one scale and its configuration", async () => {
    const files = format("mlx").write(
      await adapter("lora", { rank: 4, alpha: 8, targets: ["v_proj"] }),
      exportBase(open),
    )
    expect(JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")))).toEqual({
      fine_tune_type: "lora",
      model: "base",
      num_layers: 2,
      lora_parameters: { rank: 4, scale: 2, dropout: 0, keys: ["self_attn.v_proj"] },
    })
    const tensors = readSafetensors(files.get("adapters.safetensors")!, "x")
    expect(tensors.get("model.layers.0.self_attn.v_proj.lora_a")!.shape).toEqual([32, 4])
    expect(tensors.get("model.layers.0.self_attn.v_proj.lora_b")!.shape).toEqual([4, 16])
  })

  test("keeps DoRA with its vectors", async () => {
    const source = await adapter("dora", { rank: 2 })
    const base = exportBase(open)
    const files = format("mlx").write(source, base)
    expect(new TextDecoder().decode(files.get("adapter_config.json"))).toContain('"dora"')
    const back = format("mlx").read(files, base)
    const magnitudes = [...source.tensors].filter(([key]) => key.endsWith("lora_magnitude_vector"))
    expect(magnitudes.length).toBe(14)
    for (const [key, tensor] of magnitudes) expect(back.tensors.get(key)).toEqual(tensor)
    expect((await loadedOf(open, back)).method).toBe("dora")
  })
})

test("bottlenecks of every kind come through adapter-hub to the bit", async () => {
  const base = exportBase(open)
  for (const kind of ["pfeiffer", "houlsby", "parallel"]) {
    const source = await adapter("bottleneck", { kind, layers: [0] })
    const files = format("adapter-hub").write(source, base)
    const names = [...readSafetensors(files.get("adapter.safetensors")!, "x").keys()]
    expect(names).toContain("model.layers.0.output_adapters.adapters.card_v2.adapter_down.0.weight")
    expect(names.some((name) => name.includes("attention_adapters"))).toBe(kind === "houlsby")
    const back = await loadedOf(open, format("adapter-hub").read(files, base))
    expect(back.forms).toEqual(source.forms)
  }
})

describe("what a format can't hold is refused by name", () => {
  const cases: [string, string, RegExp][] = [
    ["dora", "gguf", /\(dora\) multiplies layers' inputs or outputs by vectors/],
    ["ia3", "mlx", /\(ia3\) multiplies/],
    ["prompt_tuning", "gguf", /\(prompt_tuning\) puts virtual tokens before the text/],
    ["prefix_tuning", "onnx_adapter", /keys and values before the text/],
    ["lora", "adapter-hub", /bottlenecks only, but adapter "card\.v2" is made by lora/],
    ["bottleneck", "peft", /PEFT has no bottlenecks/],
  ]
  for (const [method, to, message] of cases)
    test(`${method} to ${to}`, async () => {
      const source = await adapter(method)
      expect(() => format(to).write(source, exportBase(open))).toThrow(message)
    })
})

test("files for another base are refused", async () => {
  const other = join(folder, "other")
  const source = await adapter("lora")
  writeTinyBase(other, 2)
  for (const name of ["gguf", "mlx", "onnx_adapter"]) {
    const base = exportBase(open)
    const half = { ...base, sites: base.sites.filter((site) => !("layer" in site) || site.layer === 0) }
    const files = format(name).write(source, base)
    expect(() => format(name).read(files, half)).toThrow("belong nowhere")
  }
})

test("an .onnx_adapter that is cut off, or points outside of itself, is refused", async () => {
  const bytes = format("onnx_adapter")
    .write(await adapter("lora"), exportBase(open))
    .get("adapter")!
  expect(readOnnxAdapter(bytes, "x").size).toBe(42)
  expect(() => readOnnxAdapter(bytes.subarray(0, bytes.length / 2), "x")).toThrow("truncated")
  const changed = bytes.slice()
  changed[0] = 255
  changed[2] = 255
  expect(() => readOnnxAdapter(changed, "x")).toThrow("truncated, or points outside")
  expect(() => readOnnxAdapter(new Uint8Array(40), "x")).toThrow("no TORT")
})
