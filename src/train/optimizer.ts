/**
 * @module AdamW as PyTorch computes it, over flat vectors.
 *
 *     p *= 1 - lr * decay
 *     m = m + (g - m) * (1 - beta1)            v = beta2 * v + (1 - beta2) * g * g
 *     p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101; torch/optim/adamw.py, `_single_tensor_adamw`.
 * Arithmetic is in f64, what is kept is f32.
 */
import type { Parameter } from "./step.ts"

/** Settings of {@link adamW}; the defaults are PyTorch's. */
export interface AdamWOptions {
  /** @default {[0.9, 0.999]} */
  readonly betas?: readonly [number, number]
  /** @default {1e-8} */
  readonly eps?: number
  /** Decoupled weight decay, on the parameters that want it. @default {0.01} */
  readonly weightDecay?: number
}

/** What a checkpoint keeps of an optimizer. */
export interface OptimizerState {
  /** Updates made. */
  readonly updates: number
  /** First moments, f32, flat as the values. */
  readonly m: Float32Array
  /** Second moments, f32, flat as the values. */
  readonly v: Float32Array
}

/** Moves values against their gradients. */
export interface Optimizer {
  /**
   * One update, in place.
   * @param values f32, flat
   * @param gradients f32, flat; left as they are
   * @param learningRate of this update; a parameter's `lrScale` multiplies it
   */
  update(values: Float32Array, gradients: Float32Array, learningRate: number): void
  /** The state, as views: copy it before the next update or write it at once. */
  state(): OptimizerState
  /** @throws {RangeError} If the state is of other parameters. */
  restore(state: OptimizerState): void
}

/** An optimizer for these parameters, its moments at zero. */
export function adamW(parameters: readonly Parameter[], options: AdamWOptions = {}): Optimizer {
  const { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 } = options
  const [beta1, beta2] = betas
  const [rest1, rest2] = [1 - beta1, 1 - beta2]
  const size = parameters.reduce((end, parameter) => Math.max(end, parameter.offset + parameter.size), 0)
  const m = new Float32Array(size)
  const v = new Float32Array(size)
  let updates = 0

  return {
    update(values, gradients, learningRate) {
      updates++
      const correction1 = 1 - beta1 ** updates
      const rootCorrection2 = Math.sqrt(1 - beta2 ** updates)
      for (const { offset, size, decay, lrScale } of parameters) {
        const rate = learningRate * lrScale
        const keep = decay ? 1 - rate * weightDecay : 1
        // Numerator and denominator both times sqrt(1 - beta2^t), which spares a division for each value.
        const stepSize = (rate / correction1) * rootCorrection2
        const floor = eps * rootCorrection2
        for (let i = offset, end = offset + size; i < end; i++) {
          const g = gradients[i]!
          const mi = m[i]! + (g - m[i]!) * rest1
          const vi = beta2 * v[i]! + rest2 * g * g
          m[i] = mi
          v[i] = vi
          values[i] = values[i]! * keep - (stepSize * mi) / (Math.sqrt(vi) + floor)
        }
      }
    },
    state: () => ({ updates, m, v }),
    restore(state) {
      if (state.m.length !== size || state.v.length !== size) {
        throw new RangeError(`Expected moments of ${size} values but found ${state.m.length} and ${state.v.length}`)
      }
      m.set(state.m)
      v.set(state.v)
      updates = state.updates
    },
  }
}
