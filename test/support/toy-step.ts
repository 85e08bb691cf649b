/**
 * @module A trainable model of arithmetic alone: a bigram table [vocab, vocab] whose row of the token before gives the
 * logits of the next. Its gradient is exact; a part of the positions is dropped by seed, as dropout would.
 */
import { rng } from "../../src/core/rng.ts"
import { type Batch, IGNORE } from "../../src/data/batch.ts"
import type { EvalSums, TrainStep } from "../../src/train/step.ts"

/** A bigram model, with what it was called with. */
export interface ToyStep extends TrainStep {
  /** Seeds of the calls of `forwardBackward`, in order. */
  readonly seeds: number[]
  isDisposed: boolean
}

/** @param dropRate the part of the positions whose gradient is dropped. @default {0.1} */
export function toyStep(vocab: number, dropRate = 0.1): ToyStep {
  const values = new Float32Array(vocab * vocab)
  const each = (batch: Batch, visit: (from: number, to: number) => void): void => {
    for (let row = 0; row < batch.rows; row++) {
      for (let t = 1; t < batch.length; t++) {
        const at = row * batch.length + t
        if (batch.labels[at] !== IGNORE) visit(batch.ids[at - 1]!, batch.labels[at]!)
      }
    }
  }
  /** Probabilities of the token after `from`. */
  const softmax = (from: number): number[] => {
    const logits = Array.from(values.subarray(from * vocab, (from + 1) * vocab))
    const most = Math.max(...logits)
    const exps = logits.map((x) => Math.exp(x - most))
    const sum = exps.reduce((a, b) => a + b, 0)
    return exps.map((x) => x / sum)
  }
  const seeds: number[] = []
  return {
    parameters: [{ name: "table", shape: [vocab, vocab], offset: 0, size: vocab * vocab, decay: true, lrScale: 1 }],
    values,
    seeds,
    isDisposed: false,
    async forwardBackward(batch, scale, gradients, seed) {
      seeds.push(seed)
      const dropped = rng(seed, "toy")
      let loss = 0
      each(batch, (from, to) => {
        const p = softmax(from)
        loss -= scale * Math.log(p[to]!)
        if (dropped.next() < dropRate) return
        for (let k = 0; k < vocab; k++) {
          const at = from * vocab + k
          gradients[at] = gradients[at]! + scale * (p[k]! - (k === to ? 1 : 0))
        }
      })
      return loss
    },
    async evaluate(batch): Promise<EvalSums> {
      let loss = 0
      let correct = 0
      each(batch, (from, to) => {
        const p = softmax(from)
        loss -= Math.log(p[to]!)
        if (p.indexOf(Math.max(...p)) === to) correct++
      })
      return { loss, labelled: batch.labelled, correct }
    },
    async dispose() {
      this.isDisposed = true
    },
  }
}
