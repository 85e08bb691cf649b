/**
 * @module SIGINT and SIGTERM: the first one ends a server in good order, the second one at once.
 */
import process from "node:process"

/**
 * Waits for a signal and runs `shutdown`.
 * @param onSignal called with the first signal's name, to tell people what is going on
 * @returns when `shutdown` is done; a second signal meanwhile ends the process with 130 (SIGINT) or 143 (SIGTERM)
 */
export async function untilSignal(shutdown: () => Promise<void>, onSignal: (name: string) => void): Promise<void> {
  const names = ["SIGINT", "SIGTERM"] as const
  const handlers = new Map<NodeJS.Signals, () => void>()
  const first = await new Promise<NodeJS.Signals>((resolve) => {
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
    await shutdown()
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler)
  }
}
