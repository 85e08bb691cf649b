/**
 * @module A checkpoint as one file's bytes: a safetensors file of `values`, `m`, `v` and, once something was evaluated,
 * `best`, all f32 and flat, with the small state and what the run was made of as JSON in its metadata.
 *
 * A checkpoint only resumes the run it was made by: base, data, settings, backend, its version and its threads must be
 * the same, because otherwise the bytes at the end would not be those of the uninterrupted run.
 */
import * as v from "valibot"
import { EspalierError, messageOf } from "../core/errors.ts"
import { f32, type Tensor } from "../core/tensor.ts"
import { parseStrictJson } from "../formats/json-strict.ts"
import { headerLength, parseHeader, tensorOf, writeSafetensors } from "../formats/safetensors.ts"
import type { Snapshot } from "./snapshot.ts"

/** What the bytes at the end of a run depend on. Plain JSON. */
export interface RunIdentity {
  /** sha256 of the base's tensors, and the form that they are held in where it isn't f32. */
  readonly base: string
  /** sha256 of the training file. */
  readonly data: string
  /** sha256 of the held-out file, where it is one of its own. */
  readonly heldout?: string
  /** Every setting: method, batch sizes, lengths, rates, seeds. */
  readonly config: Readonly<Record<string, unknown>>
  /** Engine, its version and provider. */
  readonly runtime: string
  readonly threads: number
}

const FORMAT = "espalier-checkpoint"
const VERSION = 1

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const figures = { loss: v.number(), tokenAccuracy: v.number(), labelled: count }
const taskEvaluation = v.object({ name: v.string(), ...figures })
const evaluation = v.object({ step: count, ...figures, tasks: v.exactOptional(v.array(taskEvaluation)) })
const taskScore = v.object({ name: v.string(), questions: count, exact: v.nullable(v.number()) })
const curriculum = v.object({
  stage: count,
  rows: v.array(v.object({ losses: v.array(taskEvaluation), scores: v.array(taskScore) })),
})
const stateSchema = v.object({
  format: v.literal(FORMAT),
  version: v.number(),
  updates: count,
  progress: v.object({
    step: count,
    evaluatedAt: v.pipe(v.number(), v.safeInteger(), v.minValue(-1)),
    best: v.nullable(evaluation),
    withoutGain: count,
    tokensSeen: count,
  }),
  curriculum: v.exactOptional(curriculum),
  identity: v.object({
    base: v.string(),
    data: v.string(),
    heldout: v.optional(v.string()),
    config: v.record(v.string(), v.unknown()),
    runtime: v.string(),
    threads: v.number(),
  }),
})

/** A checkpoint's bytes. They hold copies of the snapshot's arrays. */
export function encodeCheckpoint(snapshot: Snapshot, identity: RunIdentity): Uint8Array {
  const { progress, values, optimizer, bestValues, curriculum } = snapshot
  const flat = (data: Float32Array): Tensor<"f32"> => f32([data.length], data)
  const tensors = new Map<string, Tensor>([
    ["values", flat(values)],
    ["m", flat(optimizer.m)],
    ["v", flat(optimizer.v)],
  ])
  if (bestValues) tensors.set("best", flat(bestValues))
  const state = {
    ...{ format: FORMAT, version: VERSION, updates: optimizer.updates, progress, identity },
    ...(curriculum && { curriculum }),
  }
  return writeSafetensors(tensors, { espalier: JSON.stringify(state) })
}

/**
 * The state to go on with.
 * @param name the file's name, for messages
 * @param identity what the run to resume is made of now
 * @throws {EspalierError} `invalid_file` if it is no whole checkpoint, `conflict` if it is of another run, naming each
 *   thing that differs.
 */
export function decodeCheckpoint(bytes: Uint8Array, name: string, identity: RunIdentity): Snapshot {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, name)
  const { tensors, metadata } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, name)
  const state = parseState(metadata, name)
  const differences = [...differencesOf(state.identity, JSON.parse(JSON.stringify(identity)), "")]
  if (differences.length > 0) {
    throw new EspalierError("conflict", `${name} is of another run:\n  ${differences.join("\n  ")}`, {
      hint: "Resume with what the run was started with, or start a new run with another --out",
    })
  }
  const array = (key: string): Float32Array => {
    const entry = tensors.get(key)
    if (entry?.dtype === "f32") {
      return tensorOf("f32", entry.shape, bytes.subarray(entry.start, entry.end)).data as Float32Array
    }
    const found = entry?.dtype ?? "nothing"
    throw new EspalierError("invalid_file", `Expected ${name} to hold ${key} as f32 but found ${found}`)
  }
  const values = array("values")
  const optimizer = { updates: state.updates, m: array("m"), v: array("v") }
  const { best } = state.progress
  const bestValues = best ? array("best") : null
  for (const [key, { length }] of Object.entries({ m: optimizer.m, v: optimizer.v, best: bestValues ?? values })) {
    if (length === values.length) continue
    throw new EspalierError(
      "invalid_file",
      `Expected ${name} to hold ${values.length} values of ${key} but found ${length}`,
    )
  }
  // A perplexity may be beyond what JSON can write.
  const progress = { ...state.progress, best: best && { ...best, perplexity: Math.exp(best.loss) } }
  return { progress, values, optimizer, bestValues, ...(state.curriculum && { curriculum: state.curriculum }) }
}

function parseState(metadata: ReadonlyMap<string, string>, name: string): v.InferOutput<typeof stateSchema> {
  const text = metadata.get("espalier")
  if (text === undefined)
    throw new EspalierError("invalid_file", `Expected ${name} to be a checkpoint but found other tensors`)
  let json: unknown
  try {
    json = parseStrictJson(text)
  } catch (error) {
    throw new EspalierError("invalid_file", `The state in ${name} is not valid JSON (${messageOf(error)})`)
  }
  const result = v.safeParse(stateSchema, json)
  if (!result.success) {
    const reasons = result.issues.map((issue) => `${v.getDotPath(issue) ?? "state"}: ${issue.message}`)
    throw new EspalierError("invalid_file", `The state in ${name} is wrong: ${reasons.join("; ")}`)
  }
  if (result.output.version !== VERSION) {
    const found = result.output.version
    throw new EspalierError(
      "unsupported",
      `Expected ${name} to be a checkpoint of version ${VERSION} but found ${found}`,
    )
  }
  return result.output
}

/** Every leaf in which two JSON values differ, by path. */
function* differencesOf(saved: unknown, now: unknown, path: string): Generator<string> {
  if (isRecord(saved) && isRecord(now)) {
    for (const key of new Set([...Object.keys(saved), ...Object.keys(now)])) {
      yield* differencesOf(saved[key], now[key], path === "" ? key : `${path}.${key}`)
    }
    return
  }
  const [before, after] = [JSON.stringify(saved), JSON.stringify(now)]
  if (before !== after) yield `${path} was ${shown(before)} and is now ${shown(after)}`
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const shown = (json: string | undefined): string => (json === undefined ? "not set" : json)
