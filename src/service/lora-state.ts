/**
 * @module Ids and scales of adapters, as llama.cpp has them: what is listed once keeps its id, and weighs nothing until
 * somebody says so.
 */

/** Ids and scales of those that one tenant sees. */
export interface LoraState {
  /** The same for a name, whatever is loaded and unloaded in between. */
  idOf(name: string): number
  scaleOf(name: string): number
  /** Puts these in the place of all scales there are. */
  setScales(scales: ReadonlyMap<string, number>): void
  /** Whether anything weighs something. */
  readonly any: boolean
}

/** Nothing weighs anything. */
export function createLoraState(): LoraState {
  const names: string[] = []
  let scales: ReadonlyMap<string, number> = new Map()
  return {
    idOf(name) {
      const known = names.indexOf(name)
      return known === -1 ? names.push(name) - 1 : known
    },
    scaleOf: (name) => scales.get(name) ?? 0,
    setScales(given) {
      scales = given
    },
    get any() {
      return [...scales.values()].some((scale) => scale !== 0)
    },
  }
}
