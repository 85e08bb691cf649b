/**
 * @module Lets requests in one at a time, with a turn of the event loop between them. A runtime's server hands over all that
 * have come at once: a thousand of them are a second of work in one piece, which whoever asks for /health would wait for.
 */
import { type Breathe, createBreathe } from "../serve/breathe.ts"
import type { Fetch } from "./http-runtime.ts"

/** What watches a server asks here; it costs next to nothing and must not wait behind what it watches. */
const ahead = new Set(["/health", "/health/ready", "/health/live"])

/** The same answers, those to /health first. @param breathe lets events in between two requests */
export function turnstile(inner: Fetch, breathe: Breathe = createBreathe()): Fetch {
  const waiting: (() => void)[] = []
  let passing = false
  /** Opens for the next, and for nobody else before events had their turn. */
  const next = async (): Promise<void> => {
    passing = true
    while (true) {
      await breathe()
      const enter = waiting.shift()
      if (!enter) break
      enter()
    }
    passing = false
  }
  return (request) => {
    if (ahead.has(new URL(request.url).pathname)) return inner(request)
    if (!passing) {
      void next()
      return inner(request)
    }
    return new Promise<void>((resolve) => waiting.push(resolve)).then(() => inner(request))
  }
}
