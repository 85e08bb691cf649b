/**
 * @module The places of the largest numbers of an array, without sorting all of it: a vocabulary has tens of thousands
 * of entries and a token is picked from a few of them.
 */

/** Above this many, sorting everything is cheaper than inserting one by one. */
const sortAbove = 1024

/**
 * The indices of the `count` largest values, largest first; equal values go by the lower index. NaN is never picked.
 * @param values [V]
 * @param count how many; more than there are gives all of them
 */
export function topIndices(values: ArrayLike<number>, count: number): number[] {
  const wanted = Math.min(count, values.length)
  if (wanted <= 0) return []
  if (wanted > sortAbove) return sortedIndices(values).slice(0, wanted)
  // `top` stays sorted; most values lose against its last entry and cost one comparison.
  const top: number[] = []
  let floor = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (Number.isNaN(value) || (top.length === wanted && value <= floor)) continue
    let low = 0
    let high = top.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (values[top[middle]!]! >= value) low = middle + 1
      else high = middle
    }
    top.splice(low, 0, i)
    if (top.length > wanted) top.pop()
    floor = values[top[top.length - 1]!]!
  }
  return top
}

function sortedIndices(values: ArrayLike<number>): number[] {
  const indices: number[] = []
  for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i]!)) indices.push(i)
  return indices.sort((left, right) => values[right]! - values[left]! || left - right)
}
