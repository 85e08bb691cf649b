/**
 * @module Finds stop texts in a stream: text is held back only while it could still become one.
 */

/** Watches one stream. */
export interface StopMatcher {
  /** @returns the text that may be shown, and whether a stop text has come; it and what follows are never shown. */
  push(text: string): { readonly emit: string; readonly stopped: boolean }
  /** What was held back, when the stream ends without a stop text. */
  flush(): string
}

/** A matcher for stop texts; empty ones are ignored. */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const wanted = stops.filter((stop) => stop !== "")
  let held = ""
  let stopped = false
  return {
    push(text) {
      if (stopped) return { emit: "", stopped }
      held += text
      const found = wanted.map((stop) => held.indexOf(stop)).filter((at) => at >= 0)
      if (found.length > 0) {
        const emit = held.slice(0, Math.min(...found))
        stopped = true
        held = ""
        return { emit, stopped }
      }
      const keep = Math.max(0, ...wanted.map((stop) => overlap(held, stop)))
      const emit = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return { emit, stopped }
    },
    flush() {
      const rest = held
      held = ""
      return rest
    },
  }
}

/** The longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (stop.startsWith(text.slice(text.length - length))) return length
  }
  return 0
}
