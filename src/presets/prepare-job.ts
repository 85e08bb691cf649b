/**
 * @module A job's specification as a method and settings of a run.
 */
import { methods } from "../../adapters/mod.ts"
import { EspalierError, rephrased } from "../core/errors.ts"
import { sizeOf } from "../core/tensor.ts"
import type { JobSpec } from "../jobs/job-record.ts"
import type { MethodEnv, ParameterSpec, PreparedMethod } from "../method.ts"
import type { Base } from "../models/base.ts"
import type { TrainingSettings } from "../service/training-run.ts"
import { parametersOf } from "../train/train-graph.ts"

/** What a request calls the fields that choose a method. */
interface MethodFields {
  readonly name: string
  readonly settings: string
}

/** A job's fields. */
const jobFields: MethodFields = { name: "espalier.method", settings: "espalier.settings" }

/** The method of a job. @throws {EspalierError} See {@link methodOfRequest}. */
export const methodOfJob = (spec: Pick<JobSpec, "method" | "settings">): PreparedMethod =>
  methodOfRequest(spec, jobFields)

/**
 * The method that a request asks for, which must be one that makes an adapter.
 * @throws {EspalierError} `invalid_request` or `unsupported` naming the field.
 */
export function methodOfRequest(
  { method: name, settings }: Pick<JobSpec, "method" | "settings">,
  fields: MethodFields,
): PreparedMethod {
  const method = methods.find((each) => each.name === name)
  if (!method) {
    throw new EspalierError("invalid_request", `There is no method "${name}"`, {
      param: fields.name,
      hint: `Methods: ${methods.map((each) => each.name).join(", ")}`,
    })
  }
  let prepared: PreparedMethod
  try {
    prepared = method.prepare(settings)
  } catch (error) {
    throw inSettings(error, fields)
  }
  if (prepared.peftType !== null) return prepared
  throw new EspalierError("unsupported", `Method ${name} makes a base of its own, which no request can name`, {
    param: fields.name,
    hint: "Train it with espalier train, or choose a method that makes an adapter",
  })
}

/** The settings of a job's run. */
export function settingsOfJob(spec: JobSpec, method: PreparedMethod): TrainingSettings {
  return {
    batchSize: spec.batchSize,
    accumulation: 1,
    ...(spec.maxLength !== null && { maxLength: spec.maxLength }),
    lossOn: spec.lossOn,
    chatTemplate: true,
    seed: spec.seed,
    train: {
      epochs: spec.epochs,
      maxSteps: spec.maxSteps,
      learningRate: (spec.learningRate ?? method.learningRate) * spec.rateMultiplier,
      evaluateEvery: spec.evaluateEvery,
      patience: spec.patience,
      checkpointEvery: spec.checkpointEvery,
      seed: spec.seed,
    },
  }
}

/** What a specification is checked against. */
export interface JobBounds {
  /** The base that is trained over; its weights are not read. */
  readonly base: Base
  readonly env: MethodEnv
  /** Whether its folder has a suite to measure forgetting by. */
  readonly hasSuite: boolean
}

/**
 * Looks at what can be known of a job before it is taken, so that no number in it decides alone how much memory a run takes.
 * @throws {EspalierError} `invalid_request` or `unsupported` naming the field.
 */
export function checkJob(spec: JobSpec, { base, env, hasSuite }: JobBounds): void {
  const method = methodOfJob(spec)
  const { contextLength } = base.config
  const room = contextLength - method.virtualTokens
  if (room < 2 || (spec.maxLength ?? 0) > room) {
    const virtual = method.virtualTokens === 0 ? "" : `, ${method.virtualTokens} of them for virtual tokens`
    throw new EspalierError("invalid_request", `The base holds ${contextLength} positions${virtual}`, {
      param: room < 2 ? "espalier.settings" : "espalier.max_length",
      hint: room < 2 ? "Give fewer virtual tokens" : `Give at most ${room}`,
    })
  }
  const own = valuesOf([...base.layout.values()])
  const trained = valuesOf(trainedBy(method, env))
  if (!(trained <= own)) {
    throw new EspalierError(
      "invalid_request",
      `The adapter would hold ${trained} values, more than the base's ${own}`,
      {
        param: "espalier.settings",
        hint: "Give a smaller rank, or fewer virtual tokens",
      },
    )
  }
  if (spec.maxForgetting !== null && !hasSuite) throw noSuite()
}

const valuesOf = (all: readonly { readonly shape: readonly number[] }[]): number =>
  all.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** What is trained. */
function trainedBy(method: PreparedMethod, env: MethodEnv): readonly ParameterSpec[] {
  try {
    return parametersOf(method.parameters(env))
  } catch (error) {
    throw inSettings(error)
  }
}

/** The same error, of the request's field. */
function inSettings(error: unknown, { settings } = jobFields): unknown {
  if (!(error instanceof EspalierError)) return error
  return rephrased(error, { param: settings })
}

/** The error of a base that has nothing to measure forgetting by. */
export const noSuite = (): EspalierError =>
  new EspalierError("unsupported", "This base's folder has no suite.jsonl to measure forgetting by", {
    param: "espalier.max_forgetting",
    hint: "Leave the field out, or put a suite there (docs/formats.md)",
  })
