import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { createStopMatcher } from "../../../src/text/stop.ts"

/** What a stream shows, piece by piece, up to the stop; the last piece is what the end brings. */
function run(stops: readonly string[], pieces: readonly string[]): { shown: string[]; stopped: boolean } {
  const matcher = createStopMatcher(stops)
  const shown: string[] = []
  for (const piece of pieces) {
    const { emit, stopped } = matcher.push(piece)
    shown.push(emit)
    if (stopped) return { shown, stopped }
  }
  return { shown: [...shown, matcher.flush()], stopped: false }
}

/** The same by reading the text so far from the beginning at every piece. */
function reference(stops: readonly string[], pieces: readonly string[]): { text: string; stopped: boolean } {
  let text = ""
  for (const piece of pieces) {
    text += piece
    const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
    if (found.length > 0) return { text: text.slice(0, Math.min(...found)), stopped: true }
  }
  return { text, stopped: false }
}

describe("createStopMatcher", () => {
  test("lets text through at once where no stop could begin", () => {
    expect(run(["END"], ["one ", "two"])).toEqual({ shown: ["one ", "two", ""], stopped: false })
    expect(run([], ["one ", "two"])).toEqual({ shown: ["one ", "two", ""], stopped: false })
  })

  test("shows what stands before a stop, and neither the stop nor what follows", () => {
    expect(run(["\n\n"], ["a\nb\n\nc"])).toEqual({ shown: ["a\nb"], stopped: true })
    const matcher = createStopMatcher(["x"])
    matcher.push("ax")
    expect([matcher.push("b"), matcher.flush()]).toEqual([{ emit: "", stopped: true }, ""])
  })

  test("holds back only what could still become a stop, and gives it when it can't", () => {
    expect(run(["<END>"], ["a<", "EN", "D", "x"])).toEqual({ shown: ["a", "", "", "<ENDx", ""], stopped: false })
    expect(run(["<END>"], ["a<", "EN", "D>"])).toEqual({ shown: ["a", "", ""], stopped: true })
    expect(run(["aab"], ["a", "a", "a", "a", "b"])).toEqual({ shown: ["", "", "a", "a", ""], stopped: true })
  })

  test("gives what was held back when the stream ends", () => {
    expect(run(["<END>"], ["a<EN"])).toEqual({ shown: ["a", "<EN"], stopped: false })
  })

  test("takes the stop that begins first, and one inside another as soon as it is there", () => {
    expect(run(["cd", "bcde"], ["abcd", "e"])).toEqual({ shown: ["ab"], stopped: true })
    expect(run(["de", "bcd"], ["abcde"])).toEqual({ shown: ["a"], stopped: true })
  })

  test("ignores an empty stop", () => {
    expect(run([""], ["a"])).toEqual({ shown: ["a", ""], stopped: false })
  })

  test("agrees with reading all the text again at every piece, and holds back as little as can be", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "🌱"), maxLength: 6 })
    const stop = fc.string({ unit: fc.constantFrom("a", "b", "🌱"), minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(stop, { maxLength: 3 }), fc.array(text, { maxLength: 8 }), (stops, pieces) => {
        const { shown, stopped } = run(stops, pieces)
        expect({ text: shown.join(""), stopped }).toEqual(reference(stops, pieces))
        const matcher = createStopMatcher(stops)
        let seen = ""
        let out = ""
        for (const piece of pieces) {
          const step = matcher.push(piece)
          seen += piece
          out += step.emit
          if (step.stopped) return
          const held = seen.slice(out.length)
          expect(held === "" || stops.some((one) => one.length > held.length && one.startsWith(held))).toBe(true)
        }
      }),
    )
  })
})
