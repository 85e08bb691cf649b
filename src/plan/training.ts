/**
 * @module The memory of a training run, part by part, before anything is allocated: from the run's own graphs, built for
 * the base's shapes.
 */
import { sizeOf } from "../core/tensor.ts"
import { inGraph, type MethodEnv, type PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import { paddedRows, stepSizes } from "../train/step-sizes.ts"
import { parametersOf, trainGraph } from "../train/train-graph.ts"
import { type Calibration, calibrations } from "./calibration.ts"
import { graphMemory } from "./graph-memory.ts"
import { type MemoryPart, sumOf } from "./parts.ts"
import { planServing } from "./serving.ts"

/** What a run is planned for. */
export interface TrainingPlanOptions {
  /** Its weights are not read: `baseShape()` makes one from a config.json. */
  readonly base: Base
  readonly method: PreparedMethod
  readonly env: MethodEnv
  /** Rows of a batch. */
  readonly rows: number
  /** Tokens of the longest row, virtual tokens aside. */
  readonly length: number
  /**
   * Padded lengths of batches. Of shorter rows more are computed at once, so that the peak need not be where rows are longest.
   * @default {length} alone
   */
  readonly lengths?: readonly number[]
  /** The most labelled positions of a batch. @default all but one of each row */
  readonly labelled?: number
  /** Whether held-out rows are evaluated and the best values kept. @default {true} */
  readonly evaluates?: boolean
  /** Whether checkpoints are saved. @default {true} */
  readonly checkpoints?: boolean
  /** Whether the divergence from the frozen base counts in the loss: a second forward pass. @default {false} */
  readonly divergence?: boolean
  /** Whether answers are scored while the run's sessions are open, as between the tasks of a curriculum. @default {false} */
  readonly scoresBetween?: boolean
  /** Whether `espalier train` runs it, with all that it has beside the run. @default {false} */
  readonly command?: boolean
  readonly backend: "native" | "wasm"
}

/** The memory of a run at its peak. */
export interface TrainingPlan {
  readonly method: string
  /** Values that are trained. */
  readonly trainable: number
  /** Rows that are computed at once: a batch is cut into pieces of them. */
  readonly rowsAtOnce: number
  readonly parts: readonly MemoryPart[]
  readonly total: number
}

/**
 * Plans a run.
 * @throws {EspalierError} `invalid_request` if the method finds nothing to train.
 * @throws {TypeError} If the graph has a size that nothing gives.
 */
export function planTraining(options: TrainingPlanOptions): TrainingPlan {
  const { base, method, env, rows, length, evaluates = true, checkpoints = true, divergence = false, backend } = options
  const { command = false, scoresBetween = false } = options
  const labelled = options.labelled ?? rows * (length - 1)
  const constants: Calibration = calibrations[backend]
  const sites = method.parameters(env)
  const all = parametersOf(sites)
  const count = (frozen: boolean) =>
    all.filter((spec) => (spec.frozen ?? false) === frozen).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const trainable = count(false)
  // Kept and moved with what is trained, and no part of it: what AdaLoRA remembers of its importance.
  const remembered = all.filter((spec) => !inGraph(spec)).reduce((sum, { shape }) => sum + sizeOf(shape), 0)

  const { piece, chunks, bucket } = stepSizes("fused", base.config, { maxLength: length, maxLabelled: labelled })
  const memoryOf = (withGradients: boolean) => {
    const { graph, virtualTokens } = trainGraph({
      ...{ base, method, sites, maxLength: length, chunks, withGradients },
      divergence: divergence && withGradients,
    })
    const each = (options.lengths ?? [length]).map((T) => {
      const B = rowsOfPiece(rows, T, piece)
      const most = paddedRows(Math.min(labelled, B * (T - 1)), bucket)
      return { rowsAtOnce: B, ...graphMemory(graph, { B, T, S: virtualTokens + T, N: most / chunks }) }
    })
    return each.reduce((most, one) => (one.activations > most.activations ? one : most))
  }
  const training = memoryOf(true)
  const evaluation = evaluates ? memoryOf(false) : null
  const graphs = evaluation ? [training, evaluation] : [training]
  const own = new Set(all.map(({ key }) => key))
  let fed = 0
  for (const [name, bytes] of training.inputs) if (!own.has(name)) fed += bytes

  const values = 4 * trainable
  const parts: MemoryPart[] = [
    { name: "weights", bytes: constants.weightCopies * sumOf(graphs.map(({ weights }) => weights)) },
    // The values, and those of the best evaluation.
    { name: "trainables", bytes: (evaluates ? 2 : 1) * values + 4 * count(true) + constants.feedCopies * values },
    // The sum over a batch's pieces, one piece's, and the engine's copy of that; what is only remembered has none of its own.
    { name: "gradients", bytes: 3 * values - 8 * remembered },
    // AdamW's two moments.
    { name: "optimizer", bytes: 2 * values },
    { name: "activations", bytes: constants.arena * training.activations },
    { name: "evaluation", bytes: constants.arena * (evaluation?.activations ?? 0) },
    { name: "scoring", bytes: scoresBetween ? besideProcess(options) : 0 },
    { name: "inputs", bytes: fed },
    // Written from one buffer: values, both moments, the best values.
    { name: "checkpoint", bytes: checkpoints ? (evaluates ? 4 : 3) * values : 0 },
    {
      name: "engine",
      bytes:
        constants.process +
        (command ? constants.command : 0) +
        constants.perNode * sumOf(graphs.map(({ nodes }) => nodes)),
    },
  ]
  const { rowsAtOnce } = training
  return {
    method: method.name,
    trainable: trainable - remembered,
    rowsAtOnce,
    parts,
    total: sumOf(parts.map(({ bytes }) => bytes)),
  }
}

/** What a decoder takes that answers one question after the other, in a process that is there already. */
function besideProcess({ base, method, env, length, backend }: TrainingPlanOptions): number {
  const { total } = planServing({ base, method, env, adapters: 1, sequences: 1, length, backend })
  return total - calibrations[backend].process
}

/** Rows of the largest piece that `cutBatch` makes of a batch. */
function rowsOfPiece(rows: number, length: number, positions: number): number {
  const most = Math.max(1, Math.floor(positions / length))
  return rows <= most ? rows : Math.ceil(rows / Math.ceil(rows / most))
}
