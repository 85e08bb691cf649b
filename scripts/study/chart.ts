/**
 * @module Horizontal bars as an SVG file: no script, no font but the reader's own, legible on light and dark pages.
 */

/** One bar. */
export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind it. */
  readonly text: string
}

const WIDTH = 720
const LABEL = 150
const ROW = 24
const TOP = 40

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!)

/**
 * Draws bars from 0.
 * @param most the value of a bar of full length; greater ones are cut
 */
export function barChart(title: string, bars: readonly Bar[], most: number): string {
  const room = WIDTH - LABEL - 110
  const height = TOP + bars.length * ROW + 12
  const rows = bars.map(({ label, value, text }, i) => {
    const y = TOP + i * ROW
    const width = Math.max(1, (room * Math.min(value, most)) / most)
    return [
      `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LABEL}" y="${y + 2}" width="${width.toFixed(1)}" height="14" rx="2" fill="#3b7d4f"/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 13}">${escaped(text)}</text>`,
    ].join("\n")
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fbfaf6"/>`,
    `<g font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<text x="12" y="22" font-size="14" font-weight="600">${escaped(title)}</text>`,
    ...rows,
    "</g>",
    "</svg>",
    "",
  ].join("\n")
}
