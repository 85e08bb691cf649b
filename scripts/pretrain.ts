/**
 * @module Pre-trains the embedded base from random weights on the corpus, with the project's own trainer (method `full`),
 * and writes it as a Hugging Face folder with a model card. The same seed, settings, backend and threads give the same
 * losses.
 *
 * Usage: npm run make-base -- [--steps n] [--out folder] [--run folder] [--resume]
 */
import { appendFile, mkdir } from "node:fs/promises"
import { parseArgs } from "node:util"
import { full } from "../adapters/full.ts"
import { encodeUtf8 } from "../src/core/bytes.ts"
import { f32ToF16 } from "../src/core/half.ts"
import { rng } from "../src/core/rng.ts"
import type { Tensor } from "../src/core/tensor.ts"
import { writeSafetensors } from "../src/formats/safetensors.ts"
import { llama } from "../src/models/llama.ts"
import { openRuntime } from "../src/presets/open-runtime.ts"
import type { BackendName } from "../src/runtime/runtime.ts"
import { writeFolderAtomic } from "../src/store/atomic.ts"
import { memorySource, packWeights } from "../src/store/weights-file.ts"
import { trainBpe } from "../src/text/bpe-train.ts"
import { SPRIG_SPECIAL_TOKENS, sprigTokenizerConfig } from "../src/text/sprig-template.ts"
import { loadTokenizer } from "../src/text/tokenizer.ts"
import { checkpointFile } from "../src/train/checkpoint-file.ts"
import { graphStep } from "../src/train/graph-step.ts"
import { progressReporter } from "../src/train/progress.ts"
import { streamSource } from "../src/train/source.ts"
import { train } from "../src/train/trainer.ts"
import { corpusStream } from "./corpus/corpus.ts"
import { cutNames } from "./corpus/names.ts"
import { modelCard } from "./model-card.ts"
import { encodeDocument, packDocuments } from "./pretrain-source.ts"
import { randomWeights } from "./random-base.ts"

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "2000" },
    rows: { type: "string", default: "16" },
    length: { type: "string", default: "256" },
    "learning-rate": { type: "string", default: "3e-3" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "models/sprig" },
    run: { type: "string", default: "adapters-out/sprig.run" },
    backend: { type: "string", default: "native" },
    threads: { type: "string", default: "2" },
    resume: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
})
if (values.help) {
  console.log(`Usage: npm run make-base -- [--steps 2000] [--rows 16] [--length 256] [--learning-rate 3e-3] [--seed 1]
                          [--out models/sprig] [--run adapters-out/sprig.run] [--backend native] [--threads 2] [--resume]`)
  process.exit(0)
}
const [steps, rows, length, seed] = [values.steps, values.rows, values.length, values.seed].map(Number) as [
  number,
  number,
  number,
  number,
]
const learningRate = Number(values["learning-rate"])

/** Documents that the tokenizer is trained on. */
const TOKENIZER_DOCUMENTS = 40_000
const HELDOUT_BATCHES = 4
const CONTEXT = 512
const configJson = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 2048,
  hidden_size: 192,
  num_hidden_layers: 6,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 32,
  intermediate_size: 512,
  max_position_embeddings: CONTEXT,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: "silu",
  attention_bias: false,
  mlp_bias: false,
  bos_token_id: null,
  eos_token_id: 1,
  pad_token_id: 0,
  torch_dtype: "float16",
}

/** Names are cut into syllables, so that unseen names are spelled by the same tokens as seen ones. */
function* tokenizerTexts(): Generator<string> {
  const cut = (text: string): string => cutNames(` ${text}`, SPRIG_SPECIAL_TOKENS[0])
  let count = 0
  for (const document of corpusStream(seed, "train")) {
    if ("text" in document) yield cut(document.text)
    else for (const { content } of document.messages) yield cut(content)
    if (++count >= TOKENIZER_DOCUMENTS) return
  }
}

function* encoded(split: "train" | "heldout"): Generator<readonly number[]> {
  for (const document of corpusStream(seed, split)) yield encodeDocument(tokenizer, document)
}

const tokenizerJson = trainBpe(tokenizerTexts(), {
  vocabSize: configJson.vocab_size,
  specialTokens: SPRIG_SPECIAL_TOKENS,
})
const tokenizerConfig = sprigTokenizerConfig(CONTEXT)
const tokenizer = loadTokenizer({ tokenizerJson, tokenizerConfig })
const config = llama.parseConfig(configJson)
const start = randomWeights(llama, config, seed)
const packed = await packWeights(memorySource(start), llama.weights(config), { cacheFolder: null })
const base = {
  name: "sprig",
  architecture: llama,
  config,
  ...packed,
  hash: packed.weights.hash,
  read: async (name: string) => start.get(name)!.data,
}
const { runtime } = await openRuntime(values.backend as BackendName, { threads: Number(values.threads) })
const env = {
  config,
  sites: llama.sites(config),
  tokenEmbedding: "model.embed_tokens.weight",
  encode: (text: string) => tokenizer.encode(text),
  rng: (purpose: string) => rng(seed, purpose),
}
const step = await graphStep({
  runtime,
  base,
  method: full.prepare({}),
  env,
  maxLength: length,
  maxLabelled: rows * length,
})

const heldout = []
for (const batch of packDocuments(encoded("heldout"), rows, length)) {
  heldout.push(batch)
  if (heldout.length === HELDOUT_BATCHES) break
}
const settings = {
  learningRate,
  maxSteps: steps,
  warmup: 100,
  betas: [0.9, 0.95] as const,
  weightDecay: 0.1,
  rateFloor: 0.02,
  evaluateEvery: 250,
  keepBest: false,
  checkpointEvery: 100,
}
const checkpoint = checkpointFile(values.run, {
  base: base.hash,
  data: `corpus:${seed}`,
  config: { ...settings, rows, length, seed },
  runtime: runtime.detail,
  threads: runtime.threads,
})
const snapshot = values.resume ? await checkpoint.load() : null
await mkdir(values.run, { recursive: true })

const stop = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort())
const progress = progressReporter({
  write: (text) => void process.stdout.write(text),
  isTerminal: process.stdout.isTTY === true,
})
const evaluations: string[] = []
const result = await train(
  step,
  { source: streamSource(() => packDocuments(encoded("train"), rows, length)), heldout },
  settings,
  {
    signal: stop.signal,
    onEvent(event) {
      progress(event)
      if (event.type === "evaluation-end")
        evaluations.push(JSON.stringify({ step: event.step, loss: event.loss, token_accuracy: event.tokenAccuracy }))
    },
    saveCheckpoint: (state) => checkpoint.save(state),
  },
  snapshot ?? undefined,
)
await appendFile(`${values.run}/curve.jsonl`, evaluations.map((line) => `${line}\n`).join(""))
if (result.status === "interrupted") {
  console.log("Run the same command with --resume to go on")
  process.exit(4)
}

const tensors = new Map<string, Tensor>(
  [...step.tensors()].map(([name, { shape, data }]) => [name, { dtype: "f16", shape, data: f32ToF16(data) }]),
)
const facts = {
  seed,
  steps,
  rows,
  length,
  learningRate,
  parameters: step.values.length,
  tokens: result.tokensSeen,
  backend: runtime.detail,
  heldoutLoss: result.evaluations.at(-1)?.loss ?? null,
}
const json = (value: unknown) => encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)
await writeFolderAtomic(
  values.out,
  new Map([
    ["config.json", json(configJson)],
    ["generation_config.json", json({ eos_token_id: [1], pad_token_id: 0 })],
    ["model.safetensors", writeSafetensors(tensors)],
    ["tokenizer.json", encodeUtf8(`${JSON.stringify(tokenizerJson)}\n`)],
    ["tokenizer_config.json", json(tokenizerConfig)],
    ["README.md", encodeUtf8(modelCard(facts))],
  ]),
)
console.log(`Wrote ${values.out}`)
