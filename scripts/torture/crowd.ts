/**
 * @module More clients than a server has room for, all at once, while it trains: every request is answered whole or refused
 * with 429, nothing hangs, /health stays quick, and what they took is given back.
 */
import { Worker } from "node:worker_threads"
import { rng } from "../../src/core/rng.ts"
import { percentiles } from "../bench/load.ts"
import { sendRaw } from "./raw-http.ts"
import { openFiles, residentBytes, spawnServed } from "./served.ts"

/** How much of it. */
export interface CrowdOptions {
  readonly base: string
  /** Where the server keeps its jobs: a folder that nobody else uses. */
  readonly store: string
  readonly clients: number
  /** Requests that each client sends, one after another. */
  readonly requests: number
  readonly seed: number
}

/** What came of it. Times in milliseconds, sizes in bytes. */
export interface CrowdFigures {
  readonly sent: number
  readonly answered: number
  readonly refused: number
  readonly hung: number
  /** Answered otherwise than with 200 or 429, or cut off. */
  readonly failed: number
  readonly refusalP99: number
  readonly healthP99: number
  readonly healthAsked: number
  readonly healthFailed: number
  readonly residentBefore: number
  readonly residentPeak: number
  readonly residentAfter: number
  readonly filesBefore: number
  readonly filesAfter: number
  /** Training steps done meanwhile. */
  readonly trained: number
}

const PROBE_MS = 20
/** Until memory has settled. */
const SETTLE_MS = 10_000

/** Runs it. */
export async function crowd({ base, store, clients, requests, seed }: CrowdOptions): Promise<CrowdFigures> {
  const served = await spawnServed("--base", base, "--store", store)
  const { url, child } = served
  const pid = child.pid!
  try {
    const model = await modelOf(url)
    const job = await startTraining(url, model)
    // What the first crowd makes a server set up, it keeps.
    await wave(url, model, { clients, requests: 1, seed: seed + 1 })
    await quiet(url)
    const before = { resident: residentBytes(pid), files: openFiles(pid), step: await stepOf(url, job) }
    let residentPeak = before.resident
    const watch = setInterval(() => {
      residentPeak = Math.max(residentPeak, residentBytes(pid))
    }, 100)
    const probe = startProbe(url)
    const replies = await wave(url, model, { clients, requests, seed })
    const health = await probe.stop()
    clearInterval(watch)
    await quiet(url)
    const settled = performance.now() + SETTLE_MS
    while (residentBytes(pid) > 1.1 * before.resident && performance.now() < settled) await sleep(100)
    while (openFiles(pid) > before.files + 2 && performance.now() < settled) await sleep(100)
    const isWhole = ({ end, status }: Reply, wanted: number): boolean => end === "whole" && status === wanted
    const refused = replies.filter((reply) => isWhole(reply, 429))
    const answered = replies.filter((reply) => isWhole(reply, 200)).length
    const hung = replies.filter(({ end }) => end === "hung").length
    return {
      sent: replies.length,
      answered,
      refused: refused.length,
      hung,
      failed: replies.length - answered - refused.length - hung,
      refusalP99: refused.length > 0 ? percentiles(refused.map(({ ms }) => ms)).p99 : 0,
      healthP99: percentiles(health.times).p99,
      healthAsked: health.times.length,
      healthFailed: health.failures,
      residentBefore: before.resident,
      residentPeak,
      residentAfter: residentBytes(pid),
      filesBefore: before.files,
      filesAfter: openFiles(pid),
      trained: (await stepOf(url, job)) - before.step,
    }
  } finally {
    child.kill("SIGKILL")
    await served.ended
  }
}

/** What is kept of an answer: a thousand of them are in memory at once. */
type Reply = Pick<Awaited<ReturnType<typeof sendRaw>>, "end" | "status" | "ms">

/** All clients at once; streams and whole answers of different lengths. */
async function wave(
  url: string,
  model: string,
  { clients, requests, seed }: Pick<CrowdOptions, "clients" | "requests" | "seed">,
): Promise<Reply[]> {
  const random = rng(seed, "torture:crowd")
  const replies: Reply[] = []
  const client = async (i: number): Promise<void> => {
    for (let n = 0; n < requests; n++) {
      const body = {
        model,
        messages: [
          { role: "user", content: `Client ${i} has ${random.below(1000)} apples. How many apples are there?` },
        ],
        max_tokens: 1 + random.below(48),
        stream: random.below(2) === 0,
        ignore_eos: true,
      }
      const { end, status, ms } = await sendRaw({ url, path: "/v1/chat/completions", body, timeoutMs: 120_000 })
      replies.push({ end, status, ms })
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, i) => client(i)))
  return replies
}

/** The base's name. */
async function modelOf(url: string): Promise<string> {
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }
  return data[0]!.id
}

/** Uploads rows and begins a job that is not done before the server is. */
async function startTraining(url: string, model: string): Promise<string> {
  const row = (i: number): string =>
    JSON.stringify({
      messages: [
        { role: "user", content: `Mira bought ${i} apples.` },
        { role: "assistant", content: `apples: ${i}` },
      ],
    })
  const form = new FormData()
  form.set("purpose", "fine-tune")
  form.set("file", new File([Array.from({ length: 2000 }, (_, i) => row(i)).join("\n")], "rows.jsonl"))
  const file = (await (await fetch(`${url}/v1/files`, { method: "POST", body: form })).json()) as { id: string }
  const response = await fetch(`${url}/v1/fine_tuning/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, training_file: file.id, hyperparameters: { n_epochs: 50, batch_size: 4 } }),
  })
  const job = (await response.json()) as { id: string }
  while ((await stepOf(url, job.id)) === 0) await sleep(50)
  return job.id
}

async function stepOf(url: string, job: string): Promise<number> {
  const found = (await (await fetch(`${url}/v1/fine_tuning/jobs/${job}`)).json()) as {
    status: string
    error: { message: string } | null
    espalier: { step: number }
  }
  if (found.status === "failed") throw new Error(`The job failed: ${found.error?.message}`)
  return found.espalier.step
}

/** Waits until nothing is being answered. */
async function quiet(url: string): Promise<void> {
  while (true) {
    const { active, waiting } = (await (await fetch(`${url}/health`)).json()) as { active: number; waiting: number }
    if (active + waiting === 0) return
    await sleep(50)
  }
}

function startProbe(url: string) {
  const thread = new Worker(new URL("./health-probe.ts", import.meta.url), { workerData: { url, everyMs: PROBE_MS } })
  return {
    async stop(): Promise<{ times: number[]; failures: number }> {
      const found = new Promise<{ times: number[]; failures: number }>((resolve) => thread.once("message", resolve))
      thread.postMessage("stop")
      try {
        return await found
      } finally {
        await thread.terminate()
      }
    },
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
