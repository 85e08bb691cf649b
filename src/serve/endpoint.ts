/**
 * @module One end of a message channel. Browsers, Bun and Deno give workers and ports `addEventListener`,
 * `node:worker_threads` gives its `Worker` and `parentPort` Node's `on`; the protocol wants neither.
 */

/** Sends and receives structured-cloneable values. */
export interface Endpoint {
  /** @param moved memory of the message that the other side gets as its own; it is empty here afterwards. @default none: copies */
  post(message: unknown, moved?: readonly ArrayBuffer[]): void
  /** @param handler gets each message, in order */
  onMessage(handler: (message: unknown) => void): void
  /** @param handler gets what ended the other side: an error, or an exit that nobody asked for */
  onFailure(handler: (error: unknown) => void): void
}

interface EventTargetPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
  addEventListener(type: string, listener: (event: Event) => void): void
  start?(): void
}

interface EmitterPort {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void
  on(event: string, listener: (value: unknown) => void): unknown
}

/** The endpoint of a Worker, of a MessagePort, of a worker's own global scope, or of node:worker_threads' ends. */
export function endpointOf(port: EventTargetPort | EmitterPort): Endpoint {
  if ("on" in port) {
    return {
      post: (message, moved = []) => port.postMessage(message, [...moved]),
      onMessage: (handler) => void port.on("message", handler),
      onFailure(handler) {
        port.on("error", handler)
        port.on("messageerror", handler)
        port.on("exit", (code) => handler(new Error(`The worker ended with code ${code}`)))
      },
    }
  }
  return {
    post: (message, moved = []) => port.postMessage(message, [...moved]),
    onMessage(handler) {
      port.addEventListener("message", (event) => handler((event as MessageEvent).data))
      port.start?.()
    },
    onFailure(handler) {
      port.addEventListener("error", (event) => {
        // Unhandled, Deno ends the whole program.
        event.preventDefault()
        const { error, message } = event as ErrorEvent
        handler(error ?? message)
      })
      port.addEventListener("messageerror", () => handler(new Error("A message could not be read")))
      port.addEventListener("close", () => handler(new Error("The worker ended")))
    },
  }
}
