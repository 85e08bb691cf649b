/**
 * @module A thread that asks a server for its health at every so many milliseconds, apart from whoever loads it: a client
 * that is busy itself would measure its own turn.
 */
import { parentPort, workerData } from "node:worker_threads"
import { sendRaw } from "./raw-http.ts"

const { url, everyMs } = workerData as { url: string; everyMs: number }
const times: number[] = []
let failures = 0
const asking = new Set<Promise<void>>()
const timer = setInterval(() => {
  const question = sendRaw({ url, path: "/health" }).then(({ end, status, ms }) => {
    if (end === "whole" && status === 200) times.push(ms)
    else failures++
    asking.delete(question)
  })
  asking.add(question)
}, everyMs)
parentPort!.once("message", async () => {
  clearInterval(timer)
  await Promise.all(asking)
  parentPort!.postMessage({ times, failures })
})
