/**
 * @module SIGINT and SIGTERM: the first one ends a server in good order, the second one at once.
 */
import process from "node:process"

/** SIGINT is a person at a keyboard; SIGTERM comes from what runs servers. */
export type EndSignal = "SIGINT" | "SIGTERM"

/**
 * Waits for a signal and runs `shutdown`.
 * @param shutdown gets the first signal's name
 * @param onSignal called with it before, to tell people what is going on
 * @returns when `shutdown` is done; a second signal meanwhile ends the process with 130 (SIGINT) or 143 (SIGTERM)
 */
export async function untilSignal(
  shutdown: (signal: EndSignal) => Promise<void>,
  onSignal: (name: EndSignal) => void,
): Promise<void> {
  const names = ["SIGINT", "SIGTERM"] as const
  const handlers = new Map<EndSignal, () => void>()
  const first = await new Promise<EndSignal>((resolve) => {
    let seen = false
    for (const name of names) {
      const handler = (): void => {
        if (seen) process.exit(name === "SIGINT" ? 130 : 143)
        seen = true
        resolve(name)
      }
      handlers.set(name, handler)
      process.on(name, handler)
    }
  })
  onSignal(first)
  try {
    await shutdown(first)
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler)
  }
}
