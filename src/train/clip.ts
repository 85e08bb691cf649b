/**
 * @module Clipping by the global norm, as `torch.nn.utils.clip_grad_norm_`: all gradients are multiplied by
 * min(1, maxNorm / (norm + 1e-6)).
 */

/** The Euclidean norm of a flat vector, summed in f64. */
export function globalNorm(gradients: Float32Array): number {
  let sum = 0
  for (let i = 0; i < gradients.length; i++) sum += gradients[i]! * gradients[i]!
  return Math.sqrt(sum)
}

/**
 * Clips in place.
 * @param maxNorm null leaves the gradients as they are
 * @returns the norm before clipping; where it is not finite nothing is changed
 */
export function clipGradients(gradients: Float32Array, maxNorm: number | null): number {
  const norm = globalNorm(gradients)
  if (maxNorm === null || !Number.isFinite(norm)) return norm
  const factor = maxNorm / (norm + 1e-6)
  if (factor < 1) for (let i = 0; i < gradients.length; i++) gradients[i] = gradients[i]! * factor
  return norm
}
