/**
 * @module PiSSA: a LoRA that begins with the principal directions of its weight. With W = U S V^T and the r largest singular
 * values, B0 = U_r (S_r / s)^1/2 and A0 = (S_r / s)^1/2 V_r^T, and W - s B0 A0 is what stays frozen:
 *
 *     y = W x + s (B A - B0 A0) x
 *
 * Where training begins nothing has changed, and both factors have gradients from the first step. The change is one of rank
 * 2r, [B, -B0] [A; A0], which needs no other base: so it is saved.
 *
 * Source: Meng et al. 2024, https://arxiv.org/abs/2404.02948; PEFT `LoraLayer.pissa_init` and
 * `LoraModel.subtract_mutated_init`.
 */
import { EspalierError } from "../src/core/errors.ts"
import { f32, type Tensor } from "../src/core/tensor.ts"
import { matrix, transpose } from "../src/linalg/matrix.ts"
import { type Factors, truncateDense } from "../src/linalg/truncate.ts"
import type { Init, InitTools } from "../src/method.ts"
import type { LinearSite } from "../src/models/site.ts"

/**
 * First values of A [r, in] and B [out, r] at a layer. The directions are looked for once, whichever is asked for first.
 * @param scale what B A is multiplied by
 * @throws {EspalierError} `invalid_request` for a rank that the weight does not have
 */
export function principalPair(
  { path, transposed, inFeatures, outFeatures }: LinearSite,
  rank: number,
  scale: number,
): [Init, Init] {
  const most = Math.min(inFeatures, outFeatures)
  if (rank > most)
    throw new EspalierError("invalid_request", `PiSSA needs a rank of at most ${most} at ${path} but found ${rank}`, {
      param: "method.rank",
    })
  let found: Promise<Factors> | null = null
  const factors = ({ read }: InitTools): Promise<Factors> => {
    found ??= read(`${path}.weight`).then((data) => {
      const weight = transposed
        ? transpose(matrix(inFeatures, outFeatures, data))
        : matrix(outFeatures, inFeatures, data)
      return truncateDense(weight, { rank })
    })
    return found
  }
  const root = Math.sqrt(scale)
  // A weight of a lower rank has fewer directions: the rest stays zero.
  const first = {
    kind: "computed" as const,
    async make(tools: InitTools) {
      const { a } = await factors(tools)
      const out = new Float32Array(rank * inFeatures)
      for (let i = 0; i < a.data.length; i++) out[i] = a.data[i]! / root
      return out
    },
  }
  const second = {
    kind: "computed" as const,
    async make(tools: InitTools) {
      const { b } = await factors(tools)
      const out = new Float32Array(outFeatures * rank)
      for (let o = 0; o < outFeatures; o++)
        for (let k = 0; k < b.columns; k++) out[o * rank + k] = b.data[o * b.columns + k]! / root
      return out
    },
  }
  return [first, second]
}

/** [A; A0], [2r, in]. */
export const stackedRows = (a: Tensor<"f32">, first: Tensor<"f32">): Tensor<"f32"> => {
  const data = new Float32Array(a.data.length + first.data.length)
  data.set(a.data)
  data.set(first.data, a.data.length)
  return f32([a.shape[0]! + first.shape[0]!, a.shape[1]!], data)
}

/** [B, -B0], [out, 2r]. */
export function besideNegated(b: Tensor<"f32">, first: Tensor<"f32">): Tensor<"f32"> {
  const [rows, rank] = b.shape as [number, number]
  const data = new Float32Array(2 * b.data.length)
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < rank; k++) {
      data[i * 2 * rank + k] = b.data[i * rank + k]!
      data[i * 2 * rank + rank + k] = -first.data[i * rank + k]!
    }
  return f32([rows, 2 * rank], data)
}
