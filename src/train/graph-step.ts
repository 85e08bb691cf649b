/**
 * @module The training step over a runtime session: batches in, loss and gradients out. Graphs have symbolic sizes, so
 * one session serves every batch; another, without gradients, is made when something is first evaluated. On a processor
 * a batch is computed in pieces, see `pieces.ts`.
 */
import { f32, i64, sizeOf, type Tensor } from "../core/tensor.ts"
import { type Batch, IGNORE } from "../data/batch.ts"
import { inGraph, type MethodEnv, type ParameterSpec, type PreparedMethod, type SiteParameters } from "../method.ts"
import type { Base } from "../models/base.ts"
import { graphSession } from "../models/graph-session.ts"
import { checkHeld } from "../models/quantization.ts"
import type { Runtime, Session } from "../runtime/runtime.ts"
import { dropoutMasks } from "./dropout.ts"
import { initialise } from "./initialise.ts"
import { keysAndValues } from "./keys-and-values.ts"
import { cutBatch } from "./pieces.ts"
import type { EvalSums, Parameter, TrainStep } from "./step.ts"
import { paddedRows, stepSizes } from "./step-sizes.ts"
import { parametersOf, type TrainGraph, trainGraph } from "./train-graph.ts"

/** What a step is made of. */
export interface GraphStepOptions {
  readonly runtime: Runtime
  readonly base: Base
  readonly method: PreparedMethod
  readonly env: MethodEnv
  /** The longest row in tokens, virtual tokens aside. */
  readonly maxLength: number
  /** The most labelled positions of a batch: decides in how many parts the loss is computed. */
  readonly maxLabelled: number
  /**
   * The most positions that are computed at once, where memory is short. What is evaluated then goes through the session that
   * trains, if that gives the same, so that weights are held once; the gradients are computed for nothing.
   * @default what a processor's caches hold
   */
  readonly maxPositions?: number
  /** Keep the trained distribution near the frozen base's; see {@link Divergence}. @default none */
  readonly divergence?: Divergence
  /** Values to start from, by key, in place of the method's initialisation. */
  readonly start?: ReadonlyMap<string, Tensor<"f32">>
}

/** How the divergence from the frozen base counts in the loss, as a sum over labelled positions like the loss itself. */
export interface Divergence {
  /** What KL(base || adapted) of a position is multiplied by. */
  readonly beta: number
  /** Positions it is taken at: all that are labelled, or those of replayed rows alone. */
  readonly rows: "all" | "replay"
}

/** A step whose trainables can be read back by key. */
export interface GraphStep extends TrainStep {
  readonly sites: readonly SiteParameters[]
  /** The parameters by key: views into `values`, and what stays frozen. */
  tensors(): Map<string, Tensor<"f32">>
}

/**
 * Makes a step, with its trainables initialised.
 * @throws {EspalierError} If the method finds nothing to train; `unavailable` if the runtime can't compute with what the
 *   base's weights are held as.
 */
export async function graphStep(options: GraphStepOptions): Promise<GraphStep> {
  const { runtime, base, method, env, maxLength, maxLabelled, maxPositions, start, divergence } = options
  await checkHeld(runtime, base.quantization)
  const sites = method.parameters(env)
  const all = parametersOf(sites)
  const specs = all.filter(({ frozen }) => !frozen)
  let total = 0
  const parameters: Parameter[] = specs.map(({ key, shape, decay = true, lrScale = 1, state = false }) => {
    const size = sizeOf(shape)
    // What is only remembered has no gradient: with decay aside, an update leaves it alone.
    const parameter = {
      name: key,
      shape,
      offset: total,
      size,
      decay: decay && !state,
      lrScale,
      ...(state && { state }),
    }
    total += size
    return parameter
  })
  const firstValues = async (spec: ParameterSpec): Promise<Float32Array> => {
    const given = start?.get(spec.key)
    if (given && given.shape.join() !== spec.shape.join()) {
      throw new TypeError(`Expected ${spec.key} to be [${spec.shape}] but found [${given.shape}]`)
    }
    return given?.data ?? initialise(spec, base, env, (ids) => keysAndValues(runtime, base, ids))
  }
  const values = new Float32Array(total)
  for (const [i, spec] of specs.entries()) values.set(await firstValues(spec), parameters[i]!.offset)
  const frozen: [string, Tensor<"f32">][] = []
  for (const spec of all.filter(({ frozen }) => frozen))
    frozen.push([spec.key, f32(spec.shape, await firstValues(spec))])

  const { piece, chunks, bucket } = stepSizes(runtime.lowering, base.config, {
    ...{ maxLength, maxLabelled, maxPositions },
  })
  const build = async (withGradients: boolean) => {
    const built = trainGraph({
      base,
      method,
      sites,
      maxLength,
      chunks,
      withGradients,
      divergence: divergence !== undefined,
    })
    let session: Promise<Session> | null = graphSession(runtime, base, built.graph)
    await session
    return {
      ...built,
      /** Made anew where it was given back. */
      session(): Promise<Session> {
        session ??= graphSession(runtime, base, built.graph)
        return session
      },
      async rest(): Promise<void> {
        const made = session
        session = null
        await (await made)?.dispose()
      },
    }
  }
  const training = await build(true)
  const { virtualTokens, prefixTokens } = training
  const masks = dropoutMasks(training.dropout)
  // With dropout, or more in the loss than the labels, another graph is evaluated than trained.
  const isEvaluable = training.dropout.length === 0 && !training.penalised && divergence === undefined
  let evaluation = maxPositions !== undefined && isEvaluable ? training : null

  const view = (flat: Float32Array) =>
    parameters.map(({ name, shape, offset, size }) => [name, f32(shape, flat.subarray(offset, offset + size))] as const)
  const remembered = new Set(specs.flatMap((spec) => (inGraph(spec) ? [] : [spec.key])))
  const fed = (flat: Float32Array) => view(flat).filter(([name]) => !remembered.has(name))
  const trainables = Object.fromEntries([...fed(values), ...frozen])
  const scratch = new Float32Array(total)
  const into = Object.fromEntries(fed(scratch).map(([name, tensor]) => [`grad:${name}`, tensor]))

  const rest = async (): Promise<void> => {
    await training.rest()
    await evaluation?.rest()
  }
  return {
    parameters,
    values,
    sites,
    tensors: () => new Map([...view(values), ...frozen]),
    async forwardBackward(batch, scale, gradients, seed) {
      let sum = 0
      for (const part of cutBatch(batch, piece)) {
        const kept = masks(seed, part.firstRow, part.rows, virtualTokens + part.length)
        const feeds: Record<string, Tensor> = {
          ...feedsOf(part, scale, { virtualTokens, prefixTokens }, bucket),
          ...kept,
          ...trainables,
        }
        if (divergence) Object.assign(feeds, divergenceFeeds(part, scale, divergence, bucket))
        if (training.penalised) feeds["penalty_part"] = f32([], [scale * part.labelled])
        const { loss } = await (await training.session()).run(feeds, into)
        for (let i = 0; i < total; i++) gradients[i] = gradients[i]! + scratch[i]!
        sum += (loss!.data as Float32Array)[0]!
      }
      return sum
    },
    ...(method.afterUpdate && {
      afterUpdate(step: number, steps: number, gradients: Float32Array) {
        const byKey = (flat: Float32Array) => new Map(view(flat).map(([name, { data }]) => [name, data]))
        method.afterUpdate!({ step, steps, values: byKey(values), gradients: byKey(gradients) }, sites)
      },
    }),
    async evaluate(batch): Promise<EvalSums> {
      evaluation ??= await build(false)
      const sums = { loss: 0, correct: 0 }
      for (const part of cutBatch(batch, piece)) {
        const feeds = { ...feedsOf(part, 1, { virtualTokens, prefixTokens }, bucket), ...trainables }
        const { loss, correct } = await (await evaluation.session()).run(feeds, evaluation === training ? into : {})
        sums.loss += (loss!.data as Float32Array)[0]!
        sums.correct += (correct!.data as Float32Array)[0]!
      }
      return { ...sums, labelled: batch.labelled }
    },
    rest,
    dispose: rest,
  }
}

/** A batch as feeds; position t predicts the label at t + 1. */
function feedsOf(
  batch: Batch,
  scale: number,
  { virtualTokens, prefixTokens }: Pick<TrainGraph, "virtualTokens" | "prefixTokens">,
  bucket: number,
): Record<string, Tensor> {
  const { rows: B, length: T } = batch
  const S = virtualTokens + T
  const rows: number[] = []
  const labels: number[] = []
  for (let b = 0; b < B; b++) {
    for (let t = 0; t + 1 < T; t++) {
      const label = batch.labels[b * T + t + 1]!
      if (label === IGNORE) continue
      rows.push(b * S + virtualTokens + t)
      labels.push(label)
    }
  }
  const count = paddedRows(rows.length, bucket)
  const weights = new Float32Array(count).fill(scale, 0, rows.length)
  const padded = (values: number[], value: number) =>
    i64([count], values.concat(new Array<number>(count - values.length).fill(value)))
  const positions = Array.from({ length: B * S }, (_, i) => prefixTokens + (i % S))
  return {
    input_ids: i64([B, T], batch.ids),
    position_ids: i64([B, S], positions),
    // A row's last position predicts nothing: what threads lose in adding to it is zero.
    rows: padded(rows, S - 1),
    labels: padded(labels, 0),
    weights: f32([count], weights),
  }
}

/** What the divergence wants beside a batch's own feeds: where the base's rows are, and what each counts. */
function divergenceFeeds(
  { rows: B, length: T, labels, replayed }: Batch,
  scale: number,
  { beta, rows: which }: Divergence,
  bucket: number,
): Record<string, Tensor> {
  const rows: number[] = []
  const counts: number[] = []
  for (let b = 0; b < B; b++) {
    const factor = which === "all" || replayed?.[b] === 1 ? beta * scale : 0
    for (let t = 0; t + 1 < T; t++) {
      if (labels[b * T + t + 1] === IGNORE) continue
      rows.push(b * T + t)
      counts.push(factor)
    }
  }
  const count = paddedRows(rows.length, bucket)
  const weights = new Float32Array(count)
  weights.set(counts)
  return {
    base_position_ids: i64(
      [B, T],
      Array.from({ length: B * T }, (_, i) => i % T),
    ),
    base_rows: i64([count], rows.concat(new Array<number>(count - rows.length).fill(T - 1))),
    kl_weights: f32([count], weights),
  }
}
