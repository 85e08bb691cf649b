/**
 * @module Counts the modules of WebAssembly that are compiled on the spot.
 */

/**
 * Counts from now on.
 * @param over modules with no more bytes than this are not counted
 */
export function countCompiled(over: number): { count(): number; stop(): void } {
  const { Module } = WebAssembly
  let count = 0
  class Counted extends Module {
    constructor(bytes: BufferSource) {
      super(bytes)
      if (bytes.byteLength > over) count++
    }
  }
  Object.assign(WebAssembly, { Module: Counted })
  return { count: () => count, stop: () => void Object.assign(WebAssembly, { Module }) }
}
