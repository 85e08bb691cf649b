/**
 * @module A checkpoint under the names that an architecture has for its weights. What was saved from a model without its
 * output layer lacks the first part of each name (`h.0.ln_1.weight` for `transformer.h.0.ln_1.weight`, as the hub's `gpt2`).
 */
import type { Checkpoint } from "./checkpoint-reader.ts"

/**
 * The checkpoint itself, or one whose tensors go by the longer names; its hash stays what it was.
 * @param tokenEmbedding the module path of the token embedding, such as `transformer.wte`
 */
export function underNames(checkpoint: Checkpoint, tokenEmbedding: string): Checkpoint {
  const prefix = tokenEmbedding.slice(0, tokenEmbedding.indexOf(".") + 1)
  const embedding = `${tokenEmbedding}.weight`
  const { tensors } = checkpoint
  if (prefix === "" || tensors.has(embedding) || !tensors.has(embedding.slice(prefix.length))) return checkpoint
  const longer = (name: string): string => (name.startsWith("lm_head.") ? name : prefix + name)
  const shorter = (name: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name)
  return {
    ...checkpoint,
    tensors: new Map([...tensors].map(([name, tensor]) => [longer(name), tensor])),
    readF32: (name) => checkpoint.readF32(shorter(name)),
    f32Parts: (name) => checkpoint.f32Parts(shorter(name)),
    ...(checkpoint.f32Into && {
      f32Into: (name: string, out: Float32Array) => checkpoint.f32Into!(shorter(name), out),
      f16Into: (name: string, out: Uint16Array) => checkpoint.f16Into!(shorter(name), out),
    }),
    equal: (a, b) => checkpoint.equal(shorter(a), shorter(b)),
  }
}
