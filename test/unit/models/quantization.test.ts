import { expect, test } from "bun:test"
import { gpt2 } from "../../../src/models/gpt2.ts"
import { llama } from "../../../src/models/llama.ts"
import { checkHeld, heldWeights } from "../../../src/models/quantization.ts"

const llamaConfig = (extra: Record<string, unknown>) =>
  llama.parseConfig({
    vocab_size: 96,
    hidden_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 128,
    tie_word_embeddings: false,
    ...extra,
  })

test("heldWeights() takes linear layers, the token embedding and an output layer of its own, and no norms", () => {
  const names = [...heldWeights(llama, llamaConfig({}), "int8").keys()]
  const block = "model.layers.0"
  expect(names.sort()).toEqual(
    [
      "lm_head.weight",
      "model.embed_tokens.weight",
      ...["q", "k", "v", "o"].map((role) => `${block}.self_attn.${role}_proj.weight`),
      ...["gate", "up", "down"].map((role) => `${block}.mlp.${role}_proj.weight`),
    ].sort(),
  )
})

test("heldWeights() leaves out rows that are not whole blocks", () => {
  const names = [...heldWeights(llama, llamaConfig({ intermediate_size: 100 }), "int8").keys()]
  expect(names.filter((name) => name.includes("mlp"))).toEqual([
    "model.layers.0.mlp.gate_proj.weight",
    "model.layers.0.mlp.up_proj.weight",
  ])
  expect(heldWeights(llama, llamaConfig({ hidden_size: 48, intermediate_size: 100 }), "int8").size).toBe(0)
})

test("heldWeights() says which weights are [in, out], and leaves learned positions as they are", () => {
  const held = heldWeights(
    gpt2,
    gpt2.parseConfig({ vocab_size: 64, n_embd: 32, n_layer: 1, n_head: 2, n_positions: 32 }),
    "int8",
  )
  expect(held.get("transformer.h.0.attn.c_attn.weight")).toEqual({ bits: 8, transposed: true })
  expect(held.get("transformer.wte.weight")).toEqual({ bits: 8, transposed: false })
  expect(held.has("transformer.wpe.weight")).toBe(false)
})

test("heldWeights() gives int4's token embedding and output layer 8 bits", () => {
  for (const tied of [true, false]) {
    const held = heldWeights(llama, llamaConfig({ tie_word_embeddings: tied }), "int4")
    const wide = [...held].filter(([, { bits }]) => bits === 8).map(([name]) => name)
    expect(wide.sort()).toEqual(["model.embed_tokens.weight", ...(tied ? [] : ["lm_head.weight"])].sort())
  }
})

test("heldWeights() gives int4-pure's 4, and holds the same weights", () => {
  const config = llamaConfig({ tie_word_embeddings: false })
  const [pure, mixed] = (["int4-pure", "int4"] as const).map((each) => heldWeights(llama, config, each))
  expect([...pure!.keys()]).toEqual([...mixed!.keys()])
  for (const { bits } of pure!.values()) expect(bits).toBe(4)
})

test("heldWeights() holds the same weights as f16, whatever their rows' sizes and whichever way round they are", () => {
  const held = heldWeights(llama, llamaConfig({ hidden_size: 48, intermediate_size: 100 }), "f16")
  expect(held.size).toBe(9)
  expect(new Set([...held.values()].map(({ bits }) => bits))).toEqual(new Set([16]))
  const config = gpt2.parseConfig({ vocab_size: 64, n_embd: 32, n_layer: 1, n_head: 2, n_positions: 32 })
  expect([...heldWeights(gpt2, config, "f16").keys()].sort()).toEqual(
    [...heldWeights(gpt2, config, "int8").keys()].sort(),
  )
})

test("checkHeld() refuses weights of f16 where the device says that it has none, and says what to do", async () => {
  const device = (has: boolean) => ({ name: "webgpu", takesF16: async () => has }) as const
  await checkHeld(device(true), "f16")
  await checkHeld({ name: "native" }, "f16")
  for (const other of ["int8", undefined] as const) await checkHeld(device(false), other)
  await expect(checkHeld(device(false), "f16")).rejects.toMatchObject({
    code: "unavailable",
    message: "Backend webgpu can't hold weights as f16 here: its adapter has no shader-f16",
    hint: "Hold them as int8, or leave out --quantize",
  })
})
