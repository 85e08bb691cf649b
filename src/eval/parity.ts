/**
 * @module Comparison with PyTorch + PEFT on a case folder (layout: test/fixtures/parity/README.md).
 */
import { adapterForms, understandAdapter } from "../adapter-io.ts"
import { decodeUtf8 } from "../core/bytes.ts"
import { EspalierError, isEspalierError } from "../core/errors.ts"
import { rng } from "../core/rng.ts"
import type { Tensor } from "../core/tensor.ts"
import { type Batch, IGNORE } from "../data/batch.ts"
import { readSafetensors } from "../formats/safetensors.ts"
import type { Method, MethodEnv, PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import type { Runtime } from "../runtime/runtime.ts"
import type { BoundAdapter, Decoder } from "../serve/decoder.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"
import { type AdapterFiles, adapterHash, readAdapterFolder } from "../store/adapter-folder.ts"
import type { Folder } from "../store/folder.ts"
import { clipGradients } from "../train/clip.ts"
import { graphStep } from "../train/graph-step.ts"
import { adamW } from "../train/optimizer.ts"
import type { ParityCase } from "./parity-case.ts"

/** One comparison. */
export interface ParityCheck {
  readonly case: string
  readonly check: string
  readonly method: string
  readonly backend: string
  readonly max_abs_diff: number | null
  readonly ok: boolean | "unsupported"
  readonly detail?: string
}

/** Settings of {@link runParity}. */
export interface ParityOptions {
  readonly runtime: Runtime
  readonly methods: readonly Method[]
  /** Opens the case's base. */
  readonly openBase: (folder: Folder) => Promise<Base>
  /** Only these methods; all where null. */
  readonly only: readonly string[] | null
  /** Writes a trained adapter in PEFT's layout, for its case and method, and gives the folder that it wrote. */
  readonly write: (at: { readonly case: string; readonly method: string }, adapter: AdapterFiles) => Promise<Folder>
  report(check: ParityCheck): void
}

/** Largest differences allowed: WebGPU computes some functions with fewer bits. */
const tolerances: Record<Runtime["name"], number> = { native: 1e-4, wasm: 1e-4, webgpu: 1e-3 }

interface Io {
  readonly input_ids: readonly (readonly number[])[]
  readonly attention_mask: readonly (readonly number[])[]
  readonly labels: readonly (readonly number[])[]
}

interface Trace {
  readonly lr: number
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly weight_decay: number
  readonly max_grad_norm: number
  readonly steps: number
  readonly losses: readonly number[]
  readonly final_loss: number
  /** Whether the method's own work after each update was done, as AdaLoRA's sharing out of ranks. @default {false} */
  readonly after_update?: boolean
}

/** Runs every check of a case. @throws {EspalierError} If it is none. */
export async function runParity(parity: ParityCase, options: ParityOptions): Promise<void> {
  const { name } = parity
  const { runtime, only } = options
  const report = (
    method: string,
    check: string,
    ok: ParityCheck["ok"],
    difference: number | null = null,
    detail?: string,
  ) =>
    options.report({
      case: name,
      check,
      method,
      backend: runtime.name,
      max_abs_diff: difference,
      ok,
      ...(detail !== undefined && { detail }),
    })
  const folder = await parity.folder()
  const io = (await readJson(folder, "io.json")) as unknown as Io
  let base: Base
  try {
    base = await options.openBase(await parity.folder("base"))
  } catch (error) {
    if (!isEspalierError(error, "unsupported")) throw error
    report("base", "open", "unsupported", null, error.message)
    return
  }
  const decoder = await graphDecoder({ runtime, base })
  const tolerance = tolerances[runtime.name]
  const within = (method: string, check: string, difference: number): void =>
    report(method, check, difference <= tolerance, difference)

  const wanted = await readTensor(folder, "logits.safetensors")
  within("base", "logits", await logitsDifference(decoder, null, io, wanted))
  const { greedy } = (await readJson(folder, "meta.json")) as unknown as {
    greedy: { prompt: number[]; output: number[] }
  }
  const output = await greedyOutput(decoder, greedy.prompt, greedy.output.length)
  report("base", "greedy", output.join() === greedy.output.join(), null)

  const env = parityEnv(base)
  for (const method of parity.methods) {
    if (only && !only.includes(method)) continue
    try {
      await checkMethod({
        parity,
        method,
        base,
        env,
        decoder,
        io,
        options,
        within,
        report: (check, ok, detail) => report(method, check, ok, null, detail),
      })
    } catch (error) {
      // What this version knows that it can't do is no failure; what else keeps one method from loading fails it alone.
      if (!(error instanceof EspalierError)) throw error
      report(method, "load", error.code === "unsupported" ? "unsupported" : false, null, error.message)
    }
  }
  await decoder.dispose()
}

interface MethodCheck {
  readonly parity: ParityCase
  readonly method: string
  readonly base: Base
  readonly env: MethodEnv
  readonly decoder: Decoder
  readonly io: Io
  readonly options: ParityOptions
  within(method: string, check: string, difference: number): void
  report(check: string, ok: boolean, detail?: string): void
}

async function checkMethod({
  parity,
  method,
  base,
  env,
  decoder,
  io,
  options,
  within,
  report,
}: MethodCheck): Promise<void> {
  const { runtime, methods } = options
  const folder = await parity.folder(method)
  const trace = (await readJson(folder, "trace.json")) as unknown as Trace
  const { prepared, start } = await beginning(parity, method, methods, env, base.name)

  const batch = batchOf(io)
  const step = await graphStep({
    runtime,
    base,
    method: prepared,
    env,
    maxLength: batch.length,
    maxLabelled: batch.rows * batch.length,
    ...(start && { start }),
  })
  // The cases' plain AdamW decays every parameter, biases and norms too, but nothing that is only remembered.
  const parameters = step.parameters.map((parameter) => ({ ...parameter, decay: parameter.state !== true }))
  const optimizer = adamW(parameters, { betas: trace.betas, eps: trace.eps, weightDecay: trace.weight_decay })
  const losses: number[] = []
  for (let i = 0; i <= trace.steps; i++) {
    const gradients = new Float32Array(step.values.length)
    losses.push(await step.forwardBackward(batch, 1 / batch.labelled, gradients, 0))
    if (i === trace.steps) break
    clipGradients(gradients, trace.max_grad_norm)
    optimizer.update(step.values, gradients, trace.lr)
    if (trace.after_update) step.afterUpdate?.(i + 1, trace.steps, gradients)
  }
  within(method, "losses", Math.max(...trace.losses.map((loss, i) => Math.abs(loss - losses[i]!))))
  within(method, "final_loss", Math.abs(trace.final_loss - losses.at(-1)!))

  const trained = {
    config: { ...prepared.writePeft(env), base_model_name_or_path: null, inference_mode: true, peft_version: "0.21.0" },
    tensors: prepared.store(env, step.tensors()),
  }
  const written = await options.write({ case: parity.name, method }, { ...trained, facts: null })
  const again = await readAdapterFolder(written)
  report("write", again.hash === adapterHash(trained.config, trained.tensors), written.name)
  await step.dispose()

  const final = await readAdapterFolder(await parity.folder(method, "adapter_final"))
  const wanted = await readTensor(folder, "logits_final.safetensors")
  const bind = async (content: typeof final) =>
    decoder.bind(
      await adapterForms(content, understandAdapter(content, methods, env, base.name), (name) => base.read(name)),
    )
  within(method, "logits_final", await logitsDifference(decoder, await bind(final), io, wanted))
  within(method, "logits_trained", await logitsDifference(decoder, await bind(again), io, wanted))
}

/** settings.json of a method's folder: what adapter_config.json can't say of how it is trained. */
interface Settings {
  readonly method: string
  readonly settings: Readonly<Record<string, unknown>>
  /** What it begins with. */
  readonly start: "adapter_init" | "own"
}

/** A method with its settings and its first values; null for those that the method gives itself. */
async function beginning(
  parity: ParityCase,
  name: string,
  methods: readonly Method[],
  env: MethodEnv,
  baseName: string,
): Promise<{ readonly prepared: PreparedMethod; readonly start: ReadonlyMap<string, Tensor<"f32">> | null }> {
  const folder = await parity.folder(name)
  const first = async () => readAdapterFolder(await parity.folder(name, "adapter_init"))
  if ((await folder.list()).includes("settings.json")) {
    const given = (await readJson(folder, "settings.json")) as unknown as Settings
    const method = methods.find((each) => each.name === given.method)
    if (!method) throw new EspalierError("unsupported", `settings.json: there is no method ${given.method}`)
    return { prepared: method.prepare(given.settings), start: given.start === "own" ? null : (await first()).tensors }
  }
  const adapter = await first()
  const { method: prepared } = understandAdapter(adapter, methods, env, baseName)
  return { prepared, start: (await encoderStart(folder)) ?? adapter.tensors }
}

/** First values of what is trained, where that isn't what the adapter file holds; null where it is. */
async function encoderStart(folder: Folder): Promise<Map<string, Tensor<"f32">> | null> {
  const file = "trainable_init.safetensors"
  if (!(await folder.list()).includes(file)) return null
  const tensors = readSafetensors(await folder.read(file), file) as Map<string, Tensor<"f32">>
  // PEFT names the adapter inside the key.
  return new Map([...tensors].map(([name, tensor]) => [name.replace(".default.", "."), tensor]))
}

/** What methods may ask of a case's base, which has no tokenizer. */
const parityEnv = (base: Base): MethodEnv => ({
  config: base.config,
  sites: base.architecture.sites(base.config),
  tokenEmbedding: `${base.architecture.tokenEmbedding}.weight`,
  encode: () => [],
  rng: (purpose) => rng(0, purpose),
})

function batchOf(io: Io): Batch {
  const rows = io.input_ids.length
  const length = io.input_ids[0]!.length
  const labels = Int32Array.from(io.labels.flat())
  let labelled = 0
  for (const [i, label] of labels.entries()) if (i % length !== 0 && label !== IGNORE) labelled++
  return {
    rows,
    length,
    ids: Int32Array.from(io.input_ids.flat()),
    labels,
    tokens: io.attention_mask.flat().reduce((a, b) => a + b, 0),
    labelled,
  }
}

/** The largest difference over real positions; each row is fed in two pieces, so that the cache is compared too. */
async function logitsDifference(
  decoder: Decoder,
  adapter: BoundAdapter | null,
  io: Io,
  wanted: Tensor,
): Promise<number> {
  const [, length, vocab] = wanted.shape as [number, number, number]
  const data = wanted.data as Float32Array
  let worst = 0
  for (const [row, ids] of io.input_ids.entries()) {
    const real = io.attention_mask[row]!.reduce((a, b) => a + b, 0)
    const cut = Math.max(1, real - 5)
    const sequence = await decoder.open(adapter, real + (adapter?.virtualTokens ?? 0))
    for (const [from, to] of [
      [0, cut],
      [cut, real],
    ] as const) {
      if (from === to) continue
      const logits = await sequence.append(ids.slice(from, to), true)
      const offset = (row * length + from) * vocab
      for (let i = 0; i < logits.length; i++) worst = Math.max(worst, Math.abs(logits[i]! - data[offset + i]!))
    }
    sequence.close()
  }
  return worst
}

async function greedyOutput(decoder: Decoder, prompt: readonly number[], count: number): Promise<number[]> {
  const sequence = await decoder.open(null, prompt.length + count)
  const output: number[] = []
  let logits = await sequence.append(prompt)
  while (output.length < count) {
    let best = 0
    for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
    output.push(best)
    if (output.length < count) logits = await sequence.append([best])
  }
  sequence.close()
  return output
}

const readJson = async (folder: Folder, file: string): Promise<Record<string, unknown>> =>
  JSON.parse(decodeUtf8(await folder.read(file))) as Record<string, unknown>

async function readTensor(folder: Folder, file: string): Promise<Tensor> {
  const tensors = readSafetensors(await folder.read(file), file)
  return tensors.get("logits") ?? [...tensors.values()][0]!
}
