/**
 * @module The process of a peer: its memory and its threads are its own, and it computes when it is told to.
 */
import { EspalierError, messageOf } from "../../../src/core/errors.ts"
import { runLoad } from "../load.ts"
import { peakMemory } from "../machine.ts"
import { timeRuns } from "../stats.ts"
import { openLlamaCpp } from "./llama-cpp.ts"
import type { OpenPeer, PeerOrder, PeerReply } from "./peer.ts"
import { openTransformersJs } from "./transformers-js.ts"

let peer: OpenPeer | null = null

async function obey(order: PeerOrder): Promise<PeerReply> {
  if (order.type === "open") {
    peer = await (order.settings.peer === "node-llama-cpp" ? openLlamaCpp : openTransformersJs)(order.settings)
    return { type: "opened", detail: peer.detail }
  }
  if (!peer) throw new EspalierError("conflict", "The peer has not been opened")
  if (order.type === "load") {
    const figures = await runLoad(peer, order.load)
    return { type: "figures", figures, resident: process.memoryUsage.rss(), peak: peakMemory() }
  }
  const { swap } = peer
  return { type: "swapped", ms: swap && (await timeRuns(swap, { warmup: 2, count: order.count })) }
}

process.on("message", (order: PeerOrder) => {
  obey(order)
    .catch((error: unknown): PeerReply => ({ type: "failed", message: messageOf(error) }))
    .then((reply) => process.send!(reply))
})
process.on("disconnect", () => process.exit(0))
