import { describe, expect, test } from "bun:test"
import { lora } from "../../../adapters/lora.ts"
import { methods } from "../../../adapters/mod.ts"
import { promptTuning } from "../../../adapters/prompt-tuning.ts"
import { fromPattern, matchesTargets } from "../../../adapters/targets.ts"
import { rng } from "../../../src/core/rng.ts"
import { f32 } from "../../../src/core/tensor.ts"
import { type MethodEnv, methodOfPeft } from "../../../src/method.ts"
import { gpt2 } from "../../../src/models/gpt2.ts"
import { llama } from "../../../src/models/llama.ts"

const config = llama.parseConfig({
  vocab_size: 32,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 16,
  tie_word_embeddings: false,
})
const env: MethodEnv = {
  config,
  sites: llama.sites(config),
  tokenEmbedding: "model.embed_tokens.weight",
  encode: (text) => [...text].map((c) => c.charCodeAt(0) % 32),
  rng: (purpose) => rng(0, purpose),
}
const keys = (settings: unknown) =>
  lora
    .prepare(settings)
    .parameters(env)
    .flatMap(({ params }) => params.map(({ key, shape }) => `${key} [${shape}]`))

describe("matchesTargets() follows PEFT's rules", () => {
  const rows: readonly (readonly [string, string | string[], boolean])[] = [
    ["model.layers.0.self_attn.q_proj", ["q_proj"], true],
    ["model.layers.0.self_attn.q_proj", ["proj"], false],
    ["model.layers.0.self_attn.q_proj", ["self_attn.q_proj"], true],
    ["model.layers.0.self_attn.q_proj", "all-linear", true],
    ["lm_head", "all-linear", false],
    ["model.layers.1.mlp.up_proj", ".*\\.1\\..*_proj", true],
    ["model.layers.0.mlp.up_proj", ".*\\.1\\..*_proj", false],
  ]
  for (const [path, targets, wanted] of rows)
    test(`${path} by ${targets}`, () => expect(matchesTargets(path, targets)).toBe(wanted))
})

test("a module that targets name by its whole path is meant whatever the layers are", () => {
  const [first, v] = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj"]
  const pathsOf = (settings: object) => [...new Set(keys(settings).map((key) => key.split(".lora_")[0]!.slice(17)))]
  expect(pathsOf({ targets: [first, "v_proj", "embed_tokens"], layers: [1] })).toEqual([first, v])
  expect(pathsOf({ targets: [first, "v_proj"], layers: [1], exclude: ["q_proj"] })).toEqual([v])
})

/** For forms that depend on no frozen weight. */
const noWeights = async (name: string): Promise<Float32Array> => {
  throw new Error(`${name} is not there`)
}

test("fromPattern() matches a path's end or a regular expression, the first that fits", () => {
  const patterns = { "layers.1.self_attn.q_proj": 2, "^model.*v_proj": 5 }
  expect(fromPattern(patterns, "model.layers.1.self_attn.q_proj", 8)).toBe(2)
  expect(fromPattern(patterns, "model.layers.0.self_attn.q_proj", 8)).toBe(8)
  expect(fromPattern(patterns, "model.layers.0.self_attn.v_proj", 8)).toBe(5)
})

describe("lora", () => {
  test("wants A [r, in] and B [out, r] at each target, under PEFT's names", () => {
    expect(keys({ rank: 2, targets: ["k_proj"], layers: [1] })).toEqual([
      "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight [2,8]",
      "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight [4,2]",
    ])
  })
  test("takes ranks and alphas by pattern", async () => {
    const method = lora.prepare({
      rank: 4,
      alpha: 8,
      targets: ["q_proj"],
      rankPattern: { "layers.0.self_attn.q_proj": 1 },
      alphaPattern: { "layers.1.self_attn.q_proj": 2 },
    })
    const sites = method.parameters(env)
    expect(sites.map(({ params }) => params[0]!.shape[0])).toEqual([1, 4])
    const tensors = new Map(
      sites.flatMap(({ params }) =>
        params.map(({ key, shape }) => [key, f32(shape, new Float32Array(shape[0]! * shape[1]!))] as const),
      ),
    )
    const forms = await method.finish(sites, tensors, noWeights)
    expect(forms.map((form) => form.form === "lowrank" && form.scale)).toEqual([8, 0.5])
  })
  test("scales by alpha / sqrt(r) as rsLoRA", async () => {
    const method = lora.prepare({ rank: 4, alpha: 8, targets: ["q_proj"], layers: [0], rsLora: true })
    const sites = method.parameters(env)
    const tensors = new Map(
      sites.flatMap(({ params }) =>
        params.map(({ key, shape }) => [key, f32(shape, new Float32Array(shape[0]! * shape[1]!))] as const),
      ),
    )
    expect((await method.finish(sites, tensors, noWeights))[0]).toMatchObject({ form: "lowrank", scale: 4 })
  })
  test("wants the token embedding's and the output layer's factors under PEFT's names, where targets name them", () => {
    expect(keys({ rank: 2, targets: ["embed_tokens", "lm_head"] })).toEqual([
      "base_model.model.model.embed_tokens.lora_embedding_A [2,32]",
      "base_model.model.model.embed_tokens.lora_embedding_B [8,2]",
      "base_model.model.lm_head.lora_A.weight [2,8]",
      "base_model.model.lm_head.lora_B.weight [32,2]",
    ])
    // PEFT takes a module without a number for none of the chosen layers.
    expect(() => keys({ targets: ["embed_tokens"], layers: [0] })).toThrow(/finds nothing to train/)
    expect(() => keys({ targets: ["lm_head"], loraBias: true })).toThrow(/bias of the LoRA on lm_head/)
    expect(() => keys({ targets: ["lm_head"], init: "pissa" })).toThrow(/PiSSA on lm_head/)
  })
  test("trains modules whole that PEFT's modules_to_save names by the ends of their paths", () => {
    const found = keys({ rank: 2, targets: ["q_proj"], layers: [0], save: ["norm", "embed_tokens", "lm_head"] })
    expect(found.filter((key) => !key.includes("lora_"))).toEqual([
      "base_model.model.model.embed_tokens.weight [32,8]",
      ...[0, 1].flatMap((layer) => [
        `base_model.model.model.layers.${layer}.input_layernorm.weight [8]`,
        `base_model.model.model.layers.${layer}.post_attention_layernorm.weight [8]`,
      ]),
      "base_model.model.model.norm.weight [8]",
      "base_model.model.lm_head.weight [32,8]",
    ])
    for (const save of ["v_proj", "mlp", "layers.0"]) expect(() => keys({ save: [save] })).toThrow(/whole beside/)
    expect(keys({ save: "lm_head" })).toEqual(keys({ save: ["lm_head"] }))
  })
  test("trains rows of tokens under the keys of PEFT's trainable_token_indices", () => {
    const rows = (tokens: unknown) => keys({ targets: ["q_proj"], tokens }).filter((key) => key.includes("token_"))
    const key = (path: string, count: number) =>
      `base_model.model.${path}.token_adapter.trainable_tokens_delta [${count},8]`
    expect(rows([1, 5])).toEqual([key("model.embed_tokens", 2)])
    expect(rows({ embed_tokens: [1, 5], lm_head: [3] })).toEqual([key("model.embed_tokens", 2), key("lm_head", 1)])
    expect(rows({ wte: [1] })).toEqual([])
    for (const wrong of [[32], [1, 1]]) expect(() => rows(wrong)).toThrow(/Expected tokens below 32, each of them once/)
    for (const [targets, tokens] of [
      [["embed_tokens"], [1]],
      [["lm_head"], { lm_head: [1] }],
    ])
      expect(() => keys({ targets, tokens })).toThrow(/Rows of tokens beside a LoRA on .* are not supported/)
  })
  test("refuses unknown settings and targets that match nothing", () => {
    expect(() => keys({ rnak: 4 })).toThrow(/method lora are wrong: rnak/)
    expect(() => keys({ rank: 0 })).toThrow(/rank/)
    expect(() => keys({ targets: ["c_attn"] })).toThrow(/finds nothing to train/)
  })
  test("leaves out what is excluded", () => {
    const kept = keys({ rank: 2, targets: ["q_proj", "k_proj"], layers: [0], exclude: ["q_proj"] })
    expect(kept.every((key) => key.includes("k_proj"))).toBe(true)
    expect(kept).toEqual(keys({ rank: 2, targets: ["q_proj", "k_proj"], layers: [0], exclude: ".*q_proj" }))
    expect(lora.peft!.read({ r: 8, lora_alpha: 8, target_modules: ["q_proj"], exclude_modules: [] })).toMatchObject({
      exclude: null,
    })
  })
  test("reads back the configuration it writes", () => {
    const settings = {
      rank: 4,
      alpha: 3,
      targets: ["v_proj", "q_proj"],
      layers: [1],
      rankPattern: { q_proj: 2 },
      alphaPattern: { q_proj: 1 },
      rsLora: true,
      dropout: 0.05,
      loraBias: true,
      bias: "lora_only",
      exclude: "model\\.layers\\.0\\..*",
      save: ["lm_head"],
      tokens: { embed_tokens: [1, 2] },
    }
    const json = lora.prepare(settings).writePeft(env)!
    expect(lora.peft!.read(json)).toEqual({ ...settings, targets: ["q_proj", "v_proj"] })
    expect(lora.prepare({}).writePeft(env)!["target_modules"]).toEqual([
      "down_proj",
      "gate_proj",
      "k_proj",
      "o_proj",
      "q_proj",
      "up_proj",
      "v_proj",
    ])
  })
  test("says fan_in_fan_out where weights are stored transposed", () => {
    const small = gpt2.parseConfig({ vocab_size: 8, n_embd: 8, n_layer: 1, n_head: 2, n_positions: 16 })
    expect(lora.prepare({}).writePeft({ ...env, config: small, sites: gpt2.sites(small) })!["fan_in_fan_out"]).toBe(
      true,
    )
  })
  test("refuses PEFT options that change what is computed", () => {
    const read = (option: object) => lora.peft!.read({ r: 1, lora_alpha: 1, target_modules: ["q_proj"], ...option })
    expect(() => lora.prepare(read({ bias: "some" }))).toThrow(/method lora are wrong: bias/)
    for (const option of [
      { target_parameters: ["experts.gate_up_proj"] },
      { use_qalora: true },
      { kasa_config: { beta: 1 } },
    ]) {
      expect(() => read(option)).toThrow(/is not supported/)
    }
  })
  test("refuses tables that PEFT would tie, and takes the word where none is trained", () => {
    const read = (option: object) =>
      lora.peft!.read({ r: 1, lora_alpha: 1, target_modules: ["q_proj"], ensure_weight_tying: true, ...option })
    expect(read({ trainable_token_indices: [1] })).toMatchObject({ tokens: [1] })
    for (const option of [{ modules_to_save: ["embed_tokens"] }, { target_modules: ["q_proj", "lm_head"] }])
      expect(() => read(option)).toThrow(/ensure_weight_tying = true is not supported/)
  })
  test("refuses starts by which PEFT changes the base, and takes those that leave it alone", () => {
    const read = (init: unknown) => lora.peft!.read({ r: 1, target_modules: ["q_proj"], init_lora_weights: init })
    for (const init of ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga"])
      expect(() => read(init)).toThrow(`init_lora_weights = "${init}" belongs to a base whose weights PEFT has changed`)
    for (const init of [true, false, "gaussian", "eva", "orthogonal", "mica"]) expect(read(init)).toBeDefined()
  })
  test("takes an empty list of layers for all of them, as PEFT", () => {
    const json = { r: 1, lora_alpha: 1, target_modules: ["q_proj"], layers_to_transform: [] }
    expect(lora.prepare(lora.peft!.read(json)).parameters(env)).toHaveLength(2)
  })
  test("says which regular expression can't be read", () => {
    expect(() => keys({ targets: "(?P<layer>.*)q_proj" })).toThrow(/Regular expression "\(\?P<layer>/)
  })
})

describe("prompt_tuning", () => {
  const init = (settings: unknown) => promptTuning.prepare(settings).parameters(env)[0]!.params[0]!.init
  test("starts from rows of sampled tokens, the same for the same seed", () => {
    expect(init({ virtualTokens: 5 })).toEqual(init({ virtualTokens: 5 }))
    expect(init({ virtualTokens: 5 })).toMatchObject({ kind: "rows", weight: "model.embed_tokens.weight" })
  })
  test("starts from a text, repeated and cut as PEFT does", () => {
    expect(init({ virtualTokens: 5, init: "text", initText: "ab" })).toEqual({
      kind: "rows",
      weight: "model.embed_tokens.weight",
      ids: [1, 2, 1, 2, 1],
    })
    expect(() => init({ init: "text" })).toThrow(/at least one token/)
  })
  test("starts from noise of the table's spread", () =>
    expect(init({ init: "random" })).toEqual({ kind: "normal-like", weight: "model.embed_tokens.weight" }))
})

test("virtual tokens beside whole modules are refused", () => {
  for (const name of ["prompt_tuning", "p_tuning", "prefix_tuning"]) {
    const { peft } = methods.find((method) => method.name === name)!
    expect(() => peft!.read({ num_virtual_tokens: 2, modules_to_save: ["lm_head"] })).toThrow(/modules_to_save/)
    expect(() => peft!.read({ num_virtual_tokens: 2, num_transformer_submodules: 2 })).toThrow(/num_transformer_sub/)
  }
})

test("PEFT's exclude_modules is read by every method that names modules, and what is written means the same", () => {
  const json = { r: 2, lora_alpha: 2, init_r: 2, target_modules: ["q_proj", "k_proj"], exclude_modules: ["q_proj"] }
  const norms = { target_modules: ["input_layernorm", "norm"], exclude_modules: ".*\\.0\\..*" }
  for (const name of ["lora", "dora", "adalora", "vera", "ia3", "ln_tuning"]) {
    const method = methods.find((each) => each.name === name)!
    const prepared = method.prepare(method.peft!.read(name === "ln_tuning" ? norms : json))
    const paths = prepared.parameters(env).map(({ site }) => site.path)
    expect(paths).toEqual(
      name === "ln_tuning"
        ? ["model.layers.1.input_layernorm", "model.norm"]
        : [0, 1].map((layer) => `model.layers.${layer}.self_attn.k_proj`),
    )
    const again = method.prepare(method.peft!.read(prepared.writePeft(env)!))
    expect(again.parameters(env).map(({ site }) => site.path)).toEqual(paths)
  }
})

test("full trains every weight of the base", () => {
  const full = methods.find(({ name }) => name === "full")!
  const wanted = llama.weights(config).flatMap(({ parts }) => parts.map(({ name, shape }) => `${name} [${shape}]`))
  const found = full
    .prepare({})
    .parameters(env)
    .flatMap(({ params }) => params.map(({ key, shape }) => `${key} [${shape}]`))
  expect(found.sort()).toEqual(wanted.sort())
})

test("methodOfPeft() names the types that are known", () => {
  expect(methodOfPeft({ peft_type: "LORA" }, methods).name).toBe("lora")
  expect(methodOfPeft({ peft_type: "LORA", use_dora: true }, methods).name).toBe("dora")
  expect(() => methodOfPeft({ peft_type: "LOHA" }, methods)).toThrow(/"LOHA" is not a method of this version/)
  expect(() => methodOfPeft({}, methods)).toThrow(/peft_type/)
})
