/**
 * @module Holds on a bound adapter that is counted: each is given back once, however often it is told to.
 */
import type { BoundAdapter } from "./decoder.ts"
import type { AdapterHold } from "./generation.ts"

/** A bound adapter, and how many hold it. */
export interface Counted {
  readonly bound: BoundAdapter
  holders: number
}

/** A held version and the name that it was asked by. */
export interface NamedHold extends AdapterHold {
  readonly name: string
}

/** A version that is in memory until it is released. */
export interface PreparedAdapter {
  /** One more hold on it. */
  hold(): NamedHold
  release(): void
}

/** One more hold. @param release takes it off the count */
export function holdOn<T extends Counted>(name: string, counted: T, release: (counted: T) => void): NamedHold {
  counted.holders++
  return takenHold(name, counted, release)
}

/** What is in memory by a hold that is counted already. @param release takes one off the count */
export function preparedBy<T extends Counted>(
  name: string,
  counted: T,
  release: (counted: T) => void,
): PreparedAdapter {
  const own = takenHold(name, counted, release)
  return { hold: () => holdOn(name, counted, release), release: () => own.release() }
}

function takenHold<T extends Counted>(name: string, counted: T, release: (counted: T) => void): NamedHold {
  let held = true
  return {
    name,
    bound: counted.bound,
    release() {
      if (!held) return
      held = false
      release(counted)
    },
  }
}
