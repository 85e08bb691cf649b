/**
 * @module Lets the event loop run between two steps. Some backends compute synchronously inside a promise; without this
 * a Worker that decodes would never see the message that aborts it.
 */

/** A function that resolves after pending events (messages, timers, sockets) had their turn. */
export type Breathe = () => Promise<void>

/** The quickest way this machine has: `setImmediate` where it exists, a message to oneself elsewhere. */
export function createBreathe(): Breathe {
  const immediate = (globalThis as { readonly setImmediate?: (callback: () => void) => unknown }).setImmediate
  if (immediate !== undefined) return () => new Promise((resolve) => immediate(resolve))
  return () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        port1.close()
        resolve()
      }
      port2.postMessage(null)
    })
}
