/**
 * @module Whether two models compute the same: logits of one text by both.
 */
import { EspalierError } from "../core/errors.ts"
import type { LoadedAdapter } from "../forms/form.ts"
import type { OpenBase } from "../presets/open-base.ts"
import { openRuntime } from "../presets/open-runtime.ts"
import { graphDecoder } from "../serve/graph-decoder.ts"

/** A base, with an adapter or without. */
export interface Model {
  readonly open: OpenBase
  readonly adapter: LoadedAdapter | null
}

/** How far apart logits are. */
export interface Difference {
  /** The largest difference, as a part of the largest logit. */
  readonly relative: number
  readonly tokens: number
}

/** Largest difference that rounding to f32 explains, as a part of the largest logit. */
export const TOLERANCE = 1e-5

const TEXT = "The quick brown fox jumps over the lazy dog, and 12 more of them."

/** Ids that both are asked about: a text's, or without a tokenizer some of the vocabulary. */
export function idsFor({ base, tokenizer }: OpenBase): number[] {
  const { vocabSize, contextLength } = base.config
  const ids = tokenizer?.encode(TEXT) ?? Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % vocabSize)
  return [...ids].slice(0, Math.floor(contextLength / 2))
}

/** Logits after each of the tokens, flat [tokens, vocabulary]. */
export async function logitsOf({ open, adapter }: Model, ids: readonly number[]): Promise<Float32Array> {
  const { runtime } = await openRuntime("auto")
  try {
    const decoder = await graphDecoder({ runtime, base: open.base })
    try {
      const bound = adapter && (await decoder.bind(adapter))
      const sequence = await decoder.open(bound, (bound?.virtualTokens ?? 0) + ids.length)
      const logits = (await sequence.append(ids, true)).slice()
      sequence.close()
      await bound?.dispose()
      return logits
    } finally {
      await decoder.dispose()
    }
  } finally {
    await runtime.dispose()
  }
}

/** How far logits are apart. @throws {EspalierError} `internal` where it is more than rounding */
export function differenceOf(expected: Float32Array, found: Float32Array, tokens: number): Difference {
  if (expected.length !== found.length) throw new TypeError("Logits of different sizes have no difference")
  let [largest, apart] = [1, 0]
  for (const [i, x] of expected.entries()) {
    largest = Math.max(largest, Math.abs(x))
    apart = Math.max(apart, Math.abs(x - found[i]!))
  }
  return { relative: apart / largest, tokens }
}

/** @throws {EspalierError} `internal` for a difference that rounding doesn't explain */
export function checkDifference({ relative }: Difference, tolerance = TOLERANCE): void {
  // A NaN is none either.
  if (relative <= tolerance) return
  throw new EspalierError(
    "internal",
    `What was written computes something else: logits differ by ${relative.toExponential(1)} of the largest, where at most ${tolerance.toExponential(0)} was expected`,
    { hint: "Please report it, with the adapter's method and the base's architecture" },
  )
}

/** A difference for people. */
export const verifiedText = ({ relative, tokens }: Difference): string =>
  `Read back and compared: logits of ${tokens} tokens differ by ${relative === 0 ? "nothing" : relative.toExponential(1)}\n`
