import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isEspalierError } from "../../../src/core/errors.ts"
import { f32 } from "../../../src/core/tensor.ts"
import { collateSorted, type Example } from "../../../src/data/batch.ts"
import { writeSafetensors } from "../../../src/formats/safetensors.ts"
import { decodeCheckpoint, encodeCheckpoint, type RunIdentity } from "../../../src/train/checkpoint.ts"
import { checkpointFile } from "../../../src/train/checkpoint-file.ts"
import type { TrainConfig } from "../../../src/train/config.ts"
import { openMetrics } from "../../../src/train/metrics-file.ts"
import type { Snapshot } from "../../../src/train/snapshot.ts"
import { exampleSource } from "../../../src/train/source.ts"
import { train } from "../../../src/train/trainer.ts"
import { toyStep } from "../../support/toy-step.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-checkpoint-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const identity: RunIdentity = {
  base: "b".repeat(64),
  data: "d".repeat(64),
  config: { method: { name: "lora", rank: 8 }, learningRate: 1e-3, maxSteps: null },
  runtime: "onnxruntime-node 1.30.0 CPU",
  threads: 2,
}
const best = { step: 2, loss: 1 / 3, perplexity: Math.exp(1 / 3), tokenAccuracy: 0.1, labelled: 7 }
const snapshot: Snapshot = {
  progress: { step: 4, evaluatedAt: 4, best, withoutGain: 1, tokensSeen: 123_456 },
  values: Float32Array.of(1, -2, 1e-40),
  optimizer: { updates: 4, m: Float32Array.of(0.1, 0.2, 0.3), v: Float32Array.of(1, 2, 3) },
  bestValues: Float32Array.of(4, 5, 6),
}

/** The error of decoding. */
function refusal(bytes: Uint8Array, now: RunIdentity = identity): Error & { code?: string; hint?: string } {
  try {
    decodeCheckpoint(bytes, "checkpoint.safetensors", now)
  } catch (error) {
    return error as Error
  }
  throw new TypeError("It was not refused")
}

/** A checkpoint's bytes with its state changed. */
function withState(change: (state: Record<string, unknown>) => unknown, count = 3): Uint8Array {
  const bytes = encodeCheckpoint(snapshot, identity)
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
  const state = change(JSON.parse(header.__metadata__.espalier))
  const flat = () => f32([count], new Float32Array(count))
  const tensors = new Map([
    ["values", f32([3], snapshot.values)],
    ["m", flat()],
    ["v", flat()],
    ["best", flat()],
  ])
  return writeSafetensors(tensors, { espalier: typeof state === "string" ? state : JSON.stringify(state) })
}

test("a checkpoint keeps where a curriculum is, and each task's part of an evaluation", () => {
  const figures = [{ name: "card", loss: 0.5, tokenAccuracy: 0.25, labelled: 3 }]
  const curriculum = { stage: 1, rows: [{ losses: figures, scores: [{ name: "card", questions: 0, exact: null }] }] }
  const progress = { ...snapshot.progress, best: { ...best, tasks: figures } }
  const given: Snapshot = { ...snapshot, progress, curriculum }
  expect(decodeCheckpoint(encodeCheckpoint(given, identity), "checkpoint.safetensors", identity)).toEqual(given)
})

describe("decodeCheckpoint()", () => {
  test("gives back every bit of what was encoded", () => {
    expect(decodeCheckpoint(encodeCheckpoint(snapshot, identity), "c", identity)).toEqual(snapshot)
  })

  test("gives back a state before any evaluation, and one whose perplexity JSON can't write", () => {
    const fresh: Snapshot = {
      ...snapshot,
      progress: { ...snapshot.progress, evaluatedAt: -1, best: null },
      bestValues: null,
    }
    expect(decodeCheckpoint(encodeCheckpoint(fresh, identity), "c", identity)).toEqual(fresh)
    const vast = { ...best, loss: 800, perplexity: Number.POSITIVE_INFINITY }
    const far: Snapshot = { ...snapshot, progress: { ...snapshot.progress, best: vast } }
    expect(decodeCheckpoint(encodeCheckpoint(far, identity), "c", identity)).toEqual(far)
  })

  test("is bound to the run: every difference is named, with both values", () => {
    const bytes = encodeCheckpoint(snapshot, identity)
    const now: RunIdentity = {
      ...identity,
      data: "e".repeat(64),
      heldout: "f".repeat(64),
      config: { method: { name: "lora", rank: 16 }, learningRate: 1e-3, maxSteps: null, seed: 1 },
      threads: 1,
    }
    const error = refusal(bytes, now)
    expect(isEspalierError(error, "conflict")).toBe(true)
    expect(error.message).toBe(
      [
        "checkpoint.safetensors is of another run:",
        `data was "${"d".repeat(64)}" and is now "${"e".repeat(64)}"`,
        "config.method.rank was 8 and is now 16",
        "config.seed was not set and is now 1",
        "threads was 2 and is now 1",
        `heldout was not set and is now "${"f".repeat(64)}"`,
      ].join("\n  "),
    )
    expect(error.hint).toContain("--out")
  })

  test("refuses another base, runtime or learning rate", () => {
    const bytes = encodeCheckpoint(snapshot, identity)
    for (const change of [{ base: "x" }, { runtime: "y" }, { config: { ...identity.config, learningRate: 2e-3 } }]) {
      expect(isEspalierError(refusal(bytes, { ...identity, ...change }), "conflict")).toBe(true)
    }
  })

  test("takes settings that are undefined for settings that are not there", () => {
    const bytes = encodeCheckpoint(snapshot, { ...identity, config: { ...identity.config, patience: undefined } })
    expect(decodeCheckpoint(bytes, "c", identity)).toEqual(snapshot)
  })

  test("refuses a file cut off at any byte", () => {
    const bytes = encodeCheckpoint(snapshot, identity)
    for (let length = 0; length < bytes.length; length += 7) {
      expect(isEspalierError(refusal(bytes.subarray(0, length)), "invalid_file")).toBe(true)
    }
  })

  test("refuses tensors that are no checkpoint, and states that are wrong", () => {
    const other = writeSafetensors(new Map([["values", f32([3], [1, 2, 3])]]))
    expect(refusal(other).message).toBe("Expected checkpoint.safetensors to be a checkpoint but found other tensors")
    expect(refusal(withState(() => "{")).message).toStartWith("The state in checkpoint.safetensors is not valid JSON")
    expect(refusal(withState((state) => ({ ...state, updates: -1 }))).message).toContain("updates: ")
    expect(refusal(withState((state) => ({ ...state, version: 2 }))).message).toBe(
      "Expected checkpoint.safetensors to be a checkpoint of version 1 but found 2",
    )
    expect(refusal(withState((state) => state, 2)).message).toBe(
      "Expected checkpoint.safetensors to hold 3 values of m but found 2",
    )
  })
})

const rows: Example[] = Array.from({ length: 10 }, (_, line) => {
  const ids = Int32Array.from({ length: 4 + (line % 3) }, (_, i) => (line + i) % 5)
  return { ids, labels: ids, line }
})
const data = {
  source: exampleSource(rows.slice(2), { batchSize: 2, bucket: 8, seed: 4 }),
  heldout: collateSorted(rows.slice(0, 2), 2, 8),
}
const config: TrainConfig = { epochs: 2, learningRate: 0.3, evaluateEvery: 2, checkpointEvery: 1 }

describe("checkpointFile()", () => {
  test("a run that dies after any step, and resumes from its file, ends in the same bytes and metrics", async () => {
    const wholeFolder = join(folder, "whole")
    const wholeMetrics = await openMetrics(join(wholeFolder, "metrics.jsonl"))
    const whole = toyStep(5)
    await train(whole, data, config, { onEvent: wholeMetrics.onEvent, clock: () => 0 })
    wholeMetrics.close()

    for (const diesAfter of [1, 2, 5, 8]) {
      const run = join(folder, `dies-${diesAfter}`)
      const file = checkpointFile(run, identity)
      expect(await file.load()).toBeNull()
      const metrics = await openMetrics(join(run, "metrics.jsonl"))
      const dying = train(toyStep(5), data, config, {
        onEvent(event) {
          metrics.onEvent(event)
          // As kill -9: nothing is saved any more.
          if (event.type === "step-end" && event.step === diesAfter) throw new Error("killed")
        },
        saveCheckpoint: file.save,
        clock: () => 0,
      })
      await expect(dying).rejects.toThrow("killed")
      metrics.close()
      writeFileSync(join(run, ".checkpoint.safetensors.tmp-999999999-x-0"), "torn")

      const again = checkpointFile(run, identity)
      const saved = await again.load()
      expect(saved?.progress.step ?? 0).toBe(diesAfter - 1)
      const resumed = toyStep(5)
      const more = await openMetrics(join(run, "metrics.jsonl"), saved?.progress.step ?? null)
      const hooks = { onEvent: more.onEvent, saveCheckpoint: again.save, clock: () => 0 }
      const result = await train(resumed, data, config, hooks, saved ?? undefined)
      more.close()
      expect(result.status).toBe("completed")
      expect(resumed.values).toEqual(whole.values)
      const read = (place: string) => readFileSync(join(place, "metrics.jsonl"), "utf8")
      expect(read(run)).toBe(read(wholeFolder))
      await again.remove()
      expect(readdirSync(run)).toEqual(["metrics.jsonl"])
    }
  })
})
