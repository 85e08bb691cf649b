/**
 * @module `bench worker`: the built Cloudflare Worker in real workerd, beside a worker that computes nothing and beside the same
 * backend in this process: size, start, speed, memory, adapters' first use, training.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Miniflare } from "miniflare"
import { createApp } from "../../routes/app.ts"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count } from "../../src/cli/number-range.ts"
import { baseFolder } from "../../src/cli/shared-options.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openEngine } from "../../src/presets/open-engine.ts"
import { createService } from "../../src/service/service.ts"
import type { Bucket } from "../../src/store/bucket-folder.ts"
import { buildWorker } from "../build-worker.ts"
import { writeRandomLora } from "../random-lora.ts"
import { bucketOf, startWorkerd } from "../workerd.ts"
import { childrenNamed, memoryOf, processorMsOf } from "./child-process.ts"
import { machine } from "./machine.ts"
import { summarise } from "./stats.ts"
import { type WorkerFigures, workerReport } from "./worker-report.ts"

const options = {
  runs: { type: "number", range: count(1e6), description: "runs measured of each thing", default: "7" },
  tokens: { type: "number", range: count(2 ** 20), description: "tokens of an answer", default: "128" },
} as const
type Values = OptionValues<typeof options>

/** Sends a request's path and body. */
type Send = (path: string, body: object) => Promise<Response>

const jsonRequest = (body: object) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
})
const workerSend =
  (workerd: Miniflare): Send =>
  async (path, body) =>
    (await workerd.dispatchFetch(`http://localhost${path}`, jsonRequest(body))) as unknown as Response

/** Milliseconds to the first token of a streamed answer, and from there to the last a token. */
async function stream(send: Send, model: string, tokens: number): Promise<{ first: number; perToken: number }> {
  const started = performance.now()
  const response = await send("/v1/chat/completions", {
    ...{ model, stream: true, temperature: 0, ignore_eos: true, max_tokens: tokens },
    messages: [{ role: "user", content: "Copy this: Mira bought 3 apples in Talon." }],
  })
  if (response.status !== 200) throw new Error(`Expected an answer but found ${await response.text()}`)
  let first = 0
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    // The first event says who speaks.
    if (first === 0 && chunk.includes('"content":') && /"content":"[^"]/.test(chunk)) first = performance.now()
  }
  return { first: first - started, perToken: (performance.now() - first) / Math.max(1, tokens - 1) }
}

/** Starts a workerd and finds its process. */
async function started<T>(start: () => Promise<T>): Promise<{ workerd: T; pid: number; ms: number }> {
  const before = new Set(childrenNamed("workerd"))
  const at = performance.now()
  const workerd = await start()
  const ms = performance.now() - at
  const pid = childrenNamed("workerd").find((each) => !before.has(each))
  if (pid === undefined) throw new Error("workerd started, but its process can't be found")
  return { workerd, pid, ms }
}

/**
 * A worker that computes nothing, with the same bindings, which miniflare's own workers in that process serve. Asked for an adapter
 * it reads its files, as the worker does, and leaves them.
 */
const bareScript = `export class EspalierEngine {
  #env
  constructor(_state, env) { this.#env = env }
  async fetch(request) {
    const prefix = new URL(request.url).searchParams.get("adapter")
    const { objects } = await this.#env.BUCKET.list({ prefix: prefix ?? "" })
    if (prefix !== null) {
      for (const { key } of objects) await (await this.#env.BUCKET.get(key)).arrayBuffer()
      return new Response(String(objects.length))
    }
    const base = await this.#env.ASSETS.fetch("https://assets/sprig/model.safetensors")
    return new Response(String((await base.arrayBuffer()).byteLength))
  }
}
const worker = { fetch: (request, env) => env.ENGINE.get(env.ENGINE.idFromName("bare")).fetch(request) }
export { worker as default }
`

/** Lays that worker into a folder, with an empty WebAssembly module in the engine's place. */
function layBare(folder: string, assets: string): void {
  mkdirSync(folder)
  writeFileSync(join(folder, "worker.js"), bareScript)
  writeFileSync(join(folder, "engine.wasm"), new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))
  cpSync(assets, join(folder, "assets"), { recursive: true })
}

/** Bytes that a bare worker has once so many adapters were put into its bucket and read, each once. */
async function bareWithAdapters(folder: string, adapter: string, count: number): Promise<number> {
  const { workerd, pid } = await started(() => startWorkerd(folder))
  try {
    await (await workerd.dispatchFetch("http://localhost/")).text()
    const bucket = await bucketOf(workerd)
    for (let i = 0; i < count; i++) {
      await putFiles(bucket, adapter, `adapters/lora-${i}/`)
      await (await workerd.dispatchFetch(`http://localhost/?adapter=adapters/lora-${i}/`)).text()
    }
    return memoryOf(pid).peak
  } finally {
    await workerd.dispose()
  }
}

/** Puts the files of a folder into a bucket. */
async function putFiles(bucket: Bucket, folder: string, prefix: string): Promise<void> {
  for (const file of readdirSync(folder)) await bucket.put(`${prefix}${file}`, readFileSync(join(folder, file)))
}

const examples = Array.from({ length: 50 }, (_, i) => ({
  prompt: `Mira bought ${i} apples.`,
  completion: `apples: ${i}`,
}))

/** Workers that train, of each kind. */
const TRAININGS = 3

/** Trains an adapter on the examples; without settings of its own a LoRA. */
async function trained(
  send: Send,
  more: object = { name: "apples", method: "lora", settings: { rank: 4 } },
): Promise<{ readonly training: { first_loss: number; last_loss: number } }> {
  const response = await send("/v1/train", { ...more, examples })
  const card = (await response.json()) as { training: { first_loss: number; last_loss: number } }
  if (response.status !== 201) throw new Error(`Expected a trained adapter but found ${JSON.stringify(card)}`)
  return card
}

/** Workers that do the same; each answers seven requests before. @returns the most bytes that each had */
async function peaksOf(folder: string, tokens: number, work: (send: Send) => Promise<unknown>): Promise<number[]> {
  const peaks: number[] = []
  for (let i = 0; i < TRAININGS; i++) {
    const { workerd, pid } = await started(() => startWorkerd(folder))
    try {
      const send = workerSend(workerd)
      for (let answer = 0; answer < 7; answer++) await stream(send, "sprig", answer === 0 ? 8 : tokens)
      await work(send)
      peaks.push(memoryOf(pid).peak)
    } finally {
      await workerd.dispose()
    }
  }
  return peaks
}

/** A soft prompt is trained, and then answers. */
async function softServed(send: Send): Promise<void> {
  await trained(send, { name: "soft", method: "prompt_tuning" })
  await stream(send, "soft", 16)
}

/** Nobody asks for so long that the platform takes the object away, twice. */
async function idle(send: Send): Promise<void> {
  for (let times = 0; times < 2; times++) {
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    await stream(send, "sprig", 16)
  }
}

/** workerd takes a Durable Object away after 10 s without a request. */
const IDLE_MS = 12_000

/** How answers fare that are asked for while an adapter is trained, one after the other with a pause. */
interface Meanwhile {
  /** Milliseconds to each one's first token. */
  readonly firsts: number[]
  readonly trainingMs: number[]
}

/** An adapter is trained, and somebody asks meanwhile. */
async function askedMeanwhile(send: Send, { firsts, trainingMs }: Meanwhile): Promise<void> {
  const began = performance.now()
  let isTraining = true
  const training = trained(send).finally(() => {
    isTraining = false
  })
  while (isTraining) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    if (isTraining) firsts.push((await stream(send, "sprig", 16)).first)
  }
  await training
  trainingMs.push(performance.now() - began)
}

/** Between an answer and the next question, in milliseconds. */
const PAUSE_MS = 500

async function measure(folder: string, runs: number, tokens: number): Promise<WorkerFigures> {
  const base = baseFolder(undefined)
  const starts: number[] = []
  const bareStarts: number[] = []
  const firsts: number[] = []
  const bareMemory: number[] = []
  const bareFolder = join(folder, "..", "bare")
  layBare(bareFolder, join(folder, "assets"))
  const answeredMemory: number[] = []
  const trainedMemory: number[] = []
  for (let i = 0; i < runs; i++) {
    const bare = await started(() => startWorkerd(bareFolder))
    bareStarts.push(bare.ms)
    await (await bare.workerd.dispatchFetch("http://localhost/")).text()
    bareMemory.push(memoryOf(bare.pid).now)
    await bare.workerd.dispose()
    const cold = await started(() => startWorkerd(folder))
    starts.push(cold.ms)
    firsts.push((await stream(workerSend(cold.workerd), "sprig", 8)).first)
    answeredMemory.push(memoryOf(cold.pid).now)
    if (i < TRAININGS) {
      await trained(workerSend(cold.workerd))
      trainedMemory.push(memoryOf(cold.pid).peak)
    }
    await cold.workerd.dispose()
  }
  const meanwhile: Meanwhile = { firsts: [], trainingMs: [] }
  const softMemory = await peaksOf(folder, tokens, softServed)
  const meanwhileMemory = await peaksOf(folder, tokens, (each) => askedMeanwhile(each, meanwhile))
  const idleMemory = await peaksOf(folder, tokens, idle)
  const { workerd, pid } = await started(() => startWorkerd(folder, { ADAPTER_TRUST_MS: "0" }))
  const send = workerSend(workerd)
  const service = createService({ engine: await openEngine({ base, backend: "wasm", threads: 1 }) })
  const app = createApp(service)
  const sendHere: Send = async (path, body) => app.request(`http://localhost${path}`, jsonRequest(body))
  try {
    const perToken = { workerd: [] as number[], here: [] as number[] }
    const warmFirsts: number[] = []
    for (let i = 0; i < runs + 2; i++) {
      const there = await stream(send, "sprig", tokens)
      const here = await stream(sendHere, "sprig", tokens)
      if (i < 2) continue
      perToken.workerd.push(there.perToken)
      perToken.here.push(here.perToken)
      warmFirsts.push(there.first)
    }
    const processorBefore = processorMsOf(pid)
    const requests = runs * 4
    for (let i = 0; i < requests; i++) await stream(send, "sprig", 16)
    const requestCpuMs = (processorMsOf(pid) - processorBefore) / requests

    const adapter = join(folder, "..", "adapter")
    await writeRandomLora(await openBase(base), adapter, { seed: 0, std: 0.02 })
    const bucket = await bucketOf(workerd)
    const firstUses: number[] = []
    const residents: number[] = []
    for (let i = 0; i < runs + 2; i++) {
      await putFiles(bucket, adapter, `adapters/lora-${i}/`)
      const [first, resident] = [(await stream(send, `lora-${i}`, 1)).first, (await stream(send, `lora-${i}`, 1)).first]
      if (i < 2) continue
      firstUses.push(first)
      residents.push(resident)
    }

    const trainingBefore = processorMsOf(pid)
    const trainingStarted = performance.now()
    const card = await trained(send)
    const peak = memoryOf(pid).peak
    return {
      startMs: summarise(starts),
      bareStartMs: summarise(bareStarts),
      firstMs: summarise(firsts),
      perTokenMs: { workerd: summarise(perToken.workerd), here: summarise(perToken.here) },
      warmFirstMs: summarise(warmFirsts),
      requestCpuMs,
      residentAdapterMs: summarise(residents),
      firstUseMs: summarise(firstUses),
      training: {
        cpuMs: processorMsOf(pid) - trainingBefore,
        ms: performance.now() - trainingStarted,
        firstLoss: card.training.first_loss,
        lastLoss: card.training.last_loss,
      },
      memory: {
        bare: summarise(bareMemory).median,
        trained: summarise(trainedMemory).median,
        bareWithAdapters: await bareWithAdapters(bareFolder, adapter, runs + 2),
        answered: summarise(answeredMemory).median,
        softServed: summarise(softMemory).median,
        meanwhile: summarise(meanwhileMemory).median,
        idle: summarise(idleMemory).median,
        peak,
      },
      meanwhile: {
        answers: meanwhile.firsts.length / TRAININGS,
        firstMs: summarise(meanwhile.firsts),
        trainingMs: summarise(meanwhile.trainingMs).median,
      },
    }
  } finally {
    await workerd.dispose()
    await service.close()
  }
}

export const workerBench = defineCommand({
  name: "worker",
  summary: "The Cloudflare Worker in real workerd: size, start, speed, memory, adapters' first use, training (Linux).",
  usage: "[options]",
  options,
  examples: ["npm run bench -- worker", "npm run bench -- worker --runs 15 --json"],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const where = machine()
    const folder = mkdtempSync(join(tmpdir(), "espalier-bench-worker-"))
    try {
      const built = join(folder, "worker")
      const sizes = await buildWorker(built)
      const figures = await measure(built, values.runs ?? 7, values.tokens ?? 128)
      if (values.json) io.out(`${JSON.stringify({ bench: "worker", machine: where, sizes, ...figures })}\n`)
      else io.out(workerReport(figures, sizes.scriptGzip + sizes.wasmGzip, where, values.runs ?? 7))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    return exitCodes.ok
  },
})
