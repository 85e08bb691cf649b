/**
 * @module What training on one task after another has done to each of them, as figures over the T x T matrix R, where
 * R[i][j] is the score on task j after training on task i. Scores are such that more is better.
 *
 *     average accuracy      1/T sum_j R[T][j]
 *     backward transfer     1/(T-1) sum_{j<T} R[T][j] - R[j][j]
 *     forward transfer      1/(T-1) sum_{j>1} R[j-1][j] - b[j], with b the scores before any training
 *     forgetting            1/(T-1) sum_{j<T} max_{l<T} R[l][j] - R[T][j]
 *
 * Sources: Lopez-Paz and Ranzato 2017, https://arxiv.org/abs/1706.08840, section 2, whose b is a random start's, here the
 * frozen base's; forgetting: Chaudhry et al. 2018, https://arxiv.org/abs/1801.10112, section 3.
 */

/** Figures over a matrix; null where a single task leaves nothing to compare. */
export interface MatrixMeasures {
  readonly average: number
  readonly backwardTransfer: number | null
  readonly forwardTransfer: number | null
  readonly forgetting: number | null
}

/**
 * The figures.
 * @param matrix R [T][T]
 * @param before b [T]
 * @throws {TypeError} If the matrix is not square, or `before` is of other tasks.
 */
export function matrixMeasures(matrix: readonly (readonly number[])[], before: readonly number[]): MatrixMeasures {
  const tasks = matrix.length
  if (tasks === 0 || before.length !== tasks || matrix.some((row) => row.length !== tasks))
    throw new TypeError(`Expected a square matrix over ${before.length} tasks but found ${tasks} rows`)
  const at = (i: number, j: number): number => matrix[i]![j]!
  const last = tasks - 1
  const indices = Array.from({ length: tasks }, (_, i) => i)
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
  const earlier = indices.slice(0, last)
  return {
    average: mean(indices.map((j) => at(last, j)))!,
    backwardTransfer: mean(earlier.map((j) => at(last, j) - at(j, j))),
    forwardTransfer: mean(indices.slice(1).map((j) => at(j - 1, j) - before[j]!)),
    forgetting: mean(earlier.map((j) => Math.max(...earlier.map((l) => at(l, j))) - at(last, j))),
  }
}
