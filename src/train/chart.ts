/**
 * @module The losses of a run as a chart of text.
 */
import { plot } from "asciichart"

/** Size of a chart. */
export interface ChartOptions {
  /** Columns, the scale on the left included. @default {72} */
  readonly width?: number
  /** Rows. @default {10} */
  readonly height?: number
}

/** Columns that the scale takes. */
const SCALE = 9

/** A chart of losses over steps; longer runs are averaged into the columns there are. Empty for fewer than two losses. */
export function lossChart(losses: readonly number[], { width = 72, height = 10 }: ChartOptions = {}): string {
  const finite = losses.filter(Number.isFinite)
  if (finite.length < 2) return ""
  const columns = Math.max(2, width - SCALE)
  const points = finite.length <= columns ? stretched(finite, columns) : averaged(finite, columns)
  const chart = plot(points, { height: Math.max(1, height - 1), format: (x) => x.toFixed(3).padStart(SCALE - 2) })
  return chart.replace(/[ \t]+$/gm, "")
}

/** Each loss repeated over the columns that are its share. */
const stretched = (losses: readonly number[], columns: number): number[] =>
  Array.from({ length: columns }, (_, i) => losses[Math.floor((i * losses.length) / columns)]!)

function averaged(losses: readonly number[], columns: number): number[] {
  return Array.from({ length: columns }, (_, i) => {
    const part = losses.slice(
      Math.floor((i * losses.length) / columns),
      Math.floor(((i + 1) * losses.length) / columns),
    )
    return part.reduce((sum, loss) => sum + loss, 0) / part.length
  })
}
