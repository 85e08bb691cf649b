/**
 * @module Seeded random numbers: every random number of the project comes from here, one stream per purpose, so that
 * adding a draw in one place moves none in another.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand), seeded by hashing the seed and the purpose.
 */

/** A stream of random numbers. `state` and `restore` let a checkpoint continue it exactly. */
export interface Rng {
  /** A number in [0, 1) with 32 random bits. */
  next(): number
  /** A whole number in [0, bound). */
  below(bound: number): number
  /** A standard normal number (Box-Muller, one of the pair). */
  normal(): number
  /** One element of `items`. */
  pick<T>(items: readonly T[]): T
  /** `items` in random order, in place (Fisher-Yates). */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T
  /**
   * Fills `into` with ones, and with zeros with the probability `zeros` / 65536: 16 random bits decide each.
   * @param zeros a whole number in [0, 65536]
   */
  mask(into: Uint8Array, zeros: number): void
  /** The state as four 32-bit words. */
  state(): [number, number, number, number]
  /** Continue from a state. */
  restore(state: readonly number[]): void
}

/**
 * A stream for one purpose.
 * @param seed any safe integer
 * @param purpose a name such as `shuffle` or `init:lora`; other names give independent streams
 */
export function rng(seed: number, purpose: string): Rng {
  let [a, b, c, d] = seedWords(`${seed}/${purpose}`)
  const word = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) word()
  const next = (): number => word() / 4294967296
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - next()))
      return radius * Math.cos(2 * Math.PI * next())
    },
    pick: (items) => items[below(items.length)]!,
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1)
        const held = items[i]
        ;(items as { [index: number]: unknown })[i] = items[j]
        ;(items as { [index: number]: unknown })[j] = held
      }
      return items
    },
    mask(into, zeros) {
      // Two to a word, and the state in variables of its own: a step's masks are tens of millions of elements.
      let [x, y, z, count] = [a, b, c, d]
      const { length } = into
      for (let i = 0; i < length; i += 2) {
        const t = (((x + y) | 0) + count) | 0
        count = (count + 1) | 0
        x = y ^ (y >>> 9)
        y = (z + (z << 3)) | 0
        z = (((z << 21) | (z >>> 11)) + t) | 0
        // By the sign of the difference: a branch that nobody can foresee takes twice the time.
        into[i] = (((t & 0xffff) - zeros) >> 31) + 1
        // Beyond the end of an odd length this writes nothing.
        into[i + 1] = (((t >>> 16) - zeros) >> 31) + 1
      }
      ;[a, b, c, d] = [x, y, z, count]
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
    restore(state) {
      ;[a, b, c, d] = [state[0]! | 0, state[1]! | 0, state[2]! | 0, state[3]! | 0]
    },
  }
}

/** Four words from a text by cyrb128-style mixing (bryc, public domain). */
function seedWords(text: string): [number, number, number, number] {
  let h1 = 1779033703
  let h2 = 3144134277
  let h3 = 1013904242
  let h4 = 2773480762
  for (let i = 0; i < text.length; i++) {
    const k = text.charCodeAt(i)
    h1 = h2 ^ Math.imul(h1 ^ k, 597399067)
    h2 = h3 ^ Math.imul(h2 ^ k, 2869860233)
    h3 = h4 ^ Math.imul(h3 ^ k, 951274213)
    h4 = h1 ^ Math.imul(h4 ^ k, 2716044179)
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067)
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233)
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213)
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179)
  return [(h1 ^ h2 ^ h3 ^ h4) | 0, (h2 ^ h1) | 0, (h3 ^ h1) | 0, (h4 ^ h1) | 0]
}
