/**
 * @module Into what a step cuts its batches: rows that are computed at once, parts of the loss, and how labelled rows are
 * padded. The step works by these numbers, and the memory planner reckons by them.
 */
import type { Lowering } from "../graph/op.ts"
import type { ModelConfig } from "../models/architecture.ts"
import { positionsOfPiece } from "./pieces.ts"

/** Probabilities of one part of the loss take at most this many bytes. */
const CHUNK_BYTES = 64 * 2 ** 20
/** Labelled rows are padded to a multiple of this, so that the engine sees few different sizes. */
const ROW_BUCKET = 16

/** What a step cuts its batches into. */
export interface StepSizes {
  /** Positions that are computed at once, where rows are short enough. */
  readonly piece: number
  /** Parts that the loss is computed in. */
  readonly chunks: number
  /** Labelled positions are padded to a multiple of this. */
  readonly bucket: number
}

/**
 * Sizes of a step.
 * @param lowering the standard one is for GPUs, which are the faster the more they get at once
 * @param maxLength the longest row in tokens, virtual tokens aside
 * @param maxLabelled the most labelled positions of a batch
 * @param maxPositions the most that are computed at once, where memory is short; a row is never cut
 */
export function stepSizes(
  lowering: Lowering,
  config: Pick<ModelConfig, "intermediateSize" | "vocabSize">,
  {
    maxLength,
    maxLabelled,
    maxPositions = Infinity,
  }: { readonly maxLength: number; readonly maxLabelled: number; readonly maxPositions?: number | undefined },
): StepSizes {
  const fitting = lowering === "fused" ? positionsOfPiece(config.intermediateSize) : Infinity
  const piece = Math.min(fitting, maxPositions)
  const most = Math.min(maxLabelled, Math.max(piece, maxLength))
  const chunks = Math.max(1, Math.ceil((most * config.vocabSize * 4) / CHUNK_BYTES))
  return { piece, chunks, bucket: ROW_BUCKET * chunks }
}

/** So many labelled positions as the graph gets them: padded to whole buckets, and one bucket at least. */
export const paddedRows = (labelled: number, bucket: number): number =>
  Math.max(bucket, Math.ceil(labelled / bucket) * bucket)
