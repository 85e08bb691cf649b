/**
 * @module The contract between the training loop and the model: a batch in, a loss and gradients out. The loop knows no
 * graph; `graph-step.ts` implements this over a runtime session, tests implement it with arithmetic.
 */
import type { Batch } from "../data/batch.ts"

/** One trainable tensor inside the flat vectors. */
export interface Parameter {
  /** A unique name, which is also its key in the adapter file. */
  readonly name: string
  readonly shape: readonly number[]
  /** Offset of its first element in the flat vectors. */
  readonly offset: number
  readonly size: number
  /** Whether AdamW's weight decay applies. */
  readonly decay: boolean
  /** Factor on the learning rate (LoRA+). @default {1} */
  readonly lrScale: number
  /** Something to remember, and nothing that is trained. @default {false} */
  readonly state?: boolean
}

/** What evaluation of one batch gives, as sums so that batches add up. */
export interface EvalSums {
  /** Sum of the negative log-likelihoods, in nats. */
  readonly loss: number
  /** Positions that counted. */
  readonly labelled: number
  /** Positions whose most likely token is the label. */
  readonly correct: number
}

/** A differentiable model with its trainables in one flat vector. Calls must not overlap. */
export interface TrainStep {
  readonly parameters: readonly Parameter[]
  /** The trainables, f32, flat: the optimizer updates it in place. */
  readonly values: Float32Array
  /**
   * Forward and backward over one batch.
   * @param scale factor on the summed loss, 1 / (labelled positions of the whole optimizer step), so that micro-batches add
   * @param gradients the gradient of scale * loss is ADDED to this flat vector
   * @param seed for dropout; the same seed gives the same masks
   * @returns scale * (sum of negative log-likelihoods)
   */
  forwardBackward(batch: Batch, scale: number, gradients: Float32Array, seed: number): Promise<number>
  /**
   * To be called after each update, where there is such a thing: a method may look at the gradients and change values.
   * @param step updates made, this one included
   * @param steps updates of the whole run
   */
  afterUpdate?(step: number, steps: number, gradients: Float32Array): void
  /** Forward only. */
  evaluate(batch: Batch): Promise<EvalSums>
  /** Gives back, between two calls, the memory of what can be made anew. @default there is nothing of the kind */
  rest?(): Promise<void>
  dispose(): Promise<void>
}
