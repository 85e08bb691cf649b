/**
 * @module A peer in a process of its own, as the benchmark speaks with it.
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Load } from "../load.ts"
import type { PeerOrder, PeerReply, PeerSettings } from "./peer.ts"

type Reply<T extends PeerReply["type"]> = Extract<PeerReply, { type: T }>

/** A peer that runs. */
export interface PeerProcess {
  readonly detail: string
  load(load: Load): Promise<Reply<"figures">>
  /** Milliseconds of each swap; null for a peer that has none. */
  swap(count: number): Promise<readonly number[] | null>
  close(): Promise<void>
}

/** Starts a peer and waits until it has loaded. @throws {Error} with what the peer said */
export async function startPeer(settings: PeerSettings): Promise<PeerProcess> {
  const child = fork(fileURLToPath(new URL("run.ts", import.meta.url)), [], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
  const tell = async <T extends PeerReply["type"]>(order: PeerOrder): Promise<Reply<T>> => {
    const reply = await new Promise<PeerReply>((resolve) => {
      child.once("message", (message) => resolve(message as PeerReply))
      void ended.then(() => resolve({ type: "failed", message: "its process ended" }))
      child.send(order)
    })
    if (reply.type === "failed") throw new Error(`${settings.peer}: ${reply.message}`)
    return reply as Reply<T>
  }
  const close = async (): Promise<void> => {
    child.kill("SIGKILL")
    await ended
  }
  try {
    const { detail } = await tell<"opened">({ type: "open", settings })
    return {
      detail,
      close,
      load: (load) => tell<"figures">({ type: "load", load }),
      swap: async (count) => (await tell<"swapped">({ type: "swap", count })).ms,
    }
  } catch (error) {
    await close()
    throw error
  }
}
