/**
 * @module A loss curve that grows while a run goes on.
 */
const SVG = "http://www.w3.org/2000/svg"
const WIDTH = 400
const HEIGHT = 160
const MARGIN = { left: 36, right: 8, top: 10, bottom: 20 }

/** A curve in an svg element of 400 x 160, which is emptied. */
export function lossCurve(svg: SVGSVGElement): { add(step: number, steps: number, loss: number): void } {
  const line = document.createElementNS(SVG, "polyline")
  const label = (x: number, y: number, anchor: string): SVGTextElement => {
    const text = document.createElementNS(SVG, "text")
    text.setAttribute("x", String(x))
    text.setAttribute("y", String(y))
    text.setAttribute("text-anchor", anchor)
    return text
  }
  const most = label(MARGIN.left - 4, MARGIN.top + 8, "end")
  const least = label(MARGIN.left - 4, HEIGHT - MARGIN.bottom, "end")
  const last = label(WIDTH - MARGIN.right, HEIGHT - 6, "end")
  svg.replaceChildren(line, most, least, last)
  const points: { readonly step: number; readonly loss: number }[] = []
  return {
    add(step, steps, loss) {
      points.push({ step, loss })
      const losses = points.map((point) => point.loss)
      const [low, high] = [Math.min(0, ...losses), Math.max(...losses)]
      const x = (at: number): number =>
        MARGIN.left + ((at - 1) / Math.max(1, steps - 1)) * (WIDTH - MARGIN.left - MARGIN.right)
      const y = (value: number): number =>
        MARGIN.top + (1 - (value - low) / (high - low || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom)
      line.setAttribute(
        "points",
        points.map((point) => `${x(point.step).toFixed(1)},${y(point.loss).toFixed(1)}`).join(" "),
      )
      most.textContent = high.toFixed(2)
      least.textContent = low.toFixed(2)
      last.textContent = `step ${step} of ${steps}`
    },
  }
}
