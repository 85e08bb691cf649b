/**
 * @module New rows put into a cache, as a value of its own: what an engine that keeps caches in its own memory reads next.
 */
import { defineOp, int } from "../op.ts"
import { emitCount, plus } from "./attention-mask.ts"

/**
 * A cache with new rows in it: [B, K, P, D] that is zero where they belong, rows [B, K, T, D], and their positions i64 [B, T],
 * to [B, K, P, D]. They are added by a product with ones and zeros: engines leave a scatter of whole numbers to the processor.
 */
export const placeRows = defineOp<Record<string, never>>({
  name: "placeRows",
  infer([cache, rows]) {
    const [wanted, found] = [cache!, rows!].map(({ shape: [B, K, , D] }) => [B, K, D].join()) as [string, string]
    if (cache!.dtype !== "f32" || wanted !== found)
      throw new TypeError(`placeRows expects rows for [${cache!.shape}] but found [${rows!.shape}]`)
    return [cache!]
  },
  vjp: null,
  emit(e, { inputs: [cache, rows] }, [cached, added, positions], outputs) {
    const P = cache!.shape[2]!
    const [B, , T] = rows!.shape
    // Whole numbers apart are 1 or more apart.
    const oneHot = e.once(`${positions}:one_hot:${P}:${T}`, () => {
      const [at] = e.node("Cast", [e.node("Reshape", [positions!, e.dims([B!, 1, 1, T!])])[0]!], { to: int(1) })
      const [places] = e.node("Unsqueeze", [plus(e, emitCount(e, P), -1), e.ints([1])])
      const [apart] = e.node("Abs", [e.node("Sub", [places!, at!])[0]!])
      return e.node("Sub", [e.scalar(1), e.node("Clip", [apart!, e.scalar(0), e.scalar(1)])[0]!])[0]!
    })
    e.node("Add", [cached!, e.node("MatMul", [oneHot, added!])[0]!], {}, { outputs })
  },
})
