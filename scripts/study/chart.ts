/**
 * @module Horizontal bars and dots as SVG files: no script, no font but the reader's own, legible on light and dark pages.
 */

/** One bar. */
export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind it. */
  readonly text: string
}

/** One row of dots. */
export interface DotRow {
  readonly label: string
  /** In the order of their sizes, smallest first. */
  readonly dots: readonly {
    readonly value: number
    /** What a pointer over it shows. */
    readonly text: string
    /** Filled, or a ring. */
    readonly filled: boolean
  }[]
  /** The dot that is marked, by its place. */
  readonly marked: number
}

const WIDTH = 720
const LABEL = 150
const ROW = 24
const TOP = 40
const INK = "#3b7d4f"

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!)

/** A drawing of rows under a title. @param foot lines below them */
function drawing(title: string, rows: readonly string[], foot: readonly string[] = []): string {
  const below = TOP + rows.length * ROW
  const height = below + 12 + foot.length * 18
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fbfaf6"/>`,
    `<g font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<text x="12" y="22" font-size="14" font-weight="600">${escaped(title)}</text>`,
    ...rows,
    ...foot.map((line, i) => `<text x="12" y="${below + 16 + i * 18}" fill="#555">${escaped(line)}</text>`),
    "</g>",
    "</svg>",
    "",
  ].join("\n")
}

const labelled = (label: string, y: number): string =>
  `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>`

/**
 * Draws bars from 0.
 * @param most the value of a bar of full length; greater ones are cut
 */
export function barChart(title: string, bars: readonly Bar[], most: number): string {
  const room = WIDTH - LABEL - 110
  const rows = bars.map(({ label, value, text }, i) => {
    const y = TOP + i * ROW
    const width = Math.max(1, (room * Math.min(value, most)) / most)
    return [
      labelled(label, y),
      `<rect x="${LABEL}" y="${y + 2}" width="${width.toFixed(1)}" height="14" rx="2" fill="${INK}"/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 13}">${escaped(text)}</text>`,
    ].join("\n")
  })
  return drawing(title, rows)
}

/**
 * Draws dots from 0 to 1 along a line for each row, larger ones for later values.
 * @param foot what the signs mean
 */
export function dotChart(title: string, rows: readonly DotRow[], foot: readonly string[]): string {
  const room = WIDTH - LABEL - 30
  const lines = rows.map(({ label, dots, marked }, i) => {
    const y = TOP + i * ROW
    const signs = dots.map(({ value, text, filled }, k) => {
      const x = (LABEL + room * Math.min(1, Math.max(0, value))).toFixed(1)
      const look = `fill="${filled ? INK : "#fbfaf6"}" stroke="${k === marked ? "#222" : INK}" stroke-width="${k === marked ? 2 : 1}"`
      return `<circle cx="${x}" cy="${y + 9}" r="${3 + 1.5 * k}" fill-opacity="0.8" ${look}><title>${escaped(text)}</title></circle>`
    })
    return [
      labelled(label, y),
      `<line x1="${LABEL}" x2="${LABEL + room}" y1="${y + 9}" y2="${y + 9}" stroke="#ddd"/>`,
      ...signs.reverse(),
    ].join("\n")
  })
  return drawing(title, lines, foot)
}
