import { describe, expect, test } from "bun:test"
import { clipGradients, globalNorm } from "../../../src/train/clip.ts"

describe("clipGradients()", () => {
  test("clips as torch.nn.utils.clip_grad_norm_ does and returns the norm before", () => {
    const gradients = Float32Array.of(3, -4, 0.5, 1, 2)
    expect(clipGradients(gradients, 1.5)).toBe(5.5)
    // PyTorch 2.13, two tensors of 3 and 2 gradients; it rounds the factor to f32, which moves the last bit.
    const torch = [
      0.8181817531585693, -1.0909090042114258, 0.13636362552642822, 0.27272725105285645, 0.5454545021057129,
    ]
    for (const [i, x] of torch.entries()) expect(Math.abs(gradients[i]! - x)).toBeLessThanOrEqual(2e-7)
  })

  test("leaves gradients below the limit alone", () => {
    const gradients = Float32Array.of(0.3, 0.4)
    clipGradients(gradients, 1)
    expect(gradients).toEqual(Float32Array.of(0.3, 0.4))
  })

  test("only measures with null", () => {
    const gradients = Float32Array.of(30, 40)
    expect(clipGradients(gradients, null)).toBe(50)
    expect(gradients).toEqual(Float32Array.of(30, 40))
  })

  test("leaves gradients alone where the norm is not finite", () => {
    const gradients = Float32Array.of(Number.POSITIVE_INFINITY, 1)
    expect(clipGradients(gradients, 1)).toBe(Number.POSITIVE_INFINITY)
    expect(gradients[1]).toBe(1)
  })

  test("globalNorm() sums in f64: squares too small for an f32 sum count", () => {
    const gradients = new Float32Array(100_001).fill(1e-4)
    gradients[0] = 1
    expect(globalNorm(gradients)).toBeCloseTo(Math.sqrt(1 + 100_000 * 1e-8), 6)
  })
})
