/**
 * @module What goes wrong around the worker, in real workerd: it is killed, its bucket fails, clients leave.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Miniflare } from "miniflare"
import { childrenNamed } from "../../../scripts/bench/child-process.ts"
import { buildWorker, bundleWorker } from "../../../scripts/build-worker.ts"
import { bucketOf, hasWorkerd, startWorkerd } from "../../../scripts/workerd.ts"
import type { Health } from "../../../src/service/health.ts"
import type { ChatCompletion } from "../../../src/service/wire.ts"
import type { Fault } from "./faulty-worker.ts"

const entry = `import { handleRequest } from "./src/entry/worker.ts"
import { FaultyEngine } from "./test/runtimes/workerd/faulty-worker.ts"
const worker = { fetch: handleRequest }
export { FaultyEngine, worker as default }
`
const folder = mkdtempSync(join(tmpdir(), "espalier-workerd-faults-"))
const built = join(folder, "worker")
/** Killing is done by a process's id, which is found on Linux. */
const isSkipped = !hasWorkerd || process.platform !== "linux"

beforeAll(async () => {
  if (isSkipped) return
  await buildWorker(built)
  for (const file of readdirSync(built)) if (file.endsWith(".js")) rmSync(join(built, file))
  await bundleWorker(entry, built)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A workerd of one's own, which can be killed. */
async function started(keptIn?: string) {
  const before = new Set(childrenNamed("workerd"))
  const workerd = await startWorkerd(
    built,
    { ADAPTER_TRUST_MS: "0" },
    { engine: "FaultyEngine", ...(keptIn !== undefined && { keptIn }) },
  )
  const pid = childrenNamed("workerd").find((each) => !before.has(each))!
  const post = (path: string, body: object, signal?: AbortSignal) =>
    workerd.dispatchFetch(`http://localhost${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    })
  const json = async <T>(response: Promise<{ status: number; json(): Promise<unknown> }>): Promise<T> => {
    const { status, body } = await response.then(async (each) => ({ status: each.status, body: await each.json() }))
    expect([status, (body as { error?: unknown }).error]).toEqual([status < 300 ? status : 200, undefined])
    return body as T
  }
  return {
    ...{ workerd, post },
    ask: (model: string) => json<ChatCompletion>(post("/v1/chat/completions", { model, ...question })),
    search: (query: string) => json<{ data: { document_id: string }[] }>(post("/v1/rag/search", { query })),
    add: (id: string, text: string) => json(post("/v1/rag/documents", { documents: [{ id, text }] })),
    train: (name: string, more: object = {}, signal?: AbortSignal) =>
      post("/v1/train", { name, method: "lora", examples, epochs: 1, ...more }, signal),
    fail: (fault: Fault) => post("/faults", fault),
    health: async () => (await (await workerd.dispatchFetch("http://localhost/health")).json()) as Health,
    async keys(prefix: string) {
      const { objects } = await (await bucketOf(workerd)).list({ prefix })
      return objects.map(({ key }) => key)
    },
    /** A stream of many tokens, of which some came. */
    async streaming(model: string, signal?: AbortSignal) {
      const response = await post("/v1/chat/completions", { model, ...question, max_tokens: 220, stream: true }, signal)
      expect(response.status).toBe(200)
      const reader = response.body!.getReader()
      expect((await reader.read()).done).toBe(false)
      return reader
    },
    kill: () => process.kill(pid, "SIGKILL"),
  }
}
type Started = Awaited<ReturnType<typeof started>>
const ended = (workerd: Miniflare): Promise<void> => workerd.dispose().catch(() => {})

const question = {
  messages: [{ role: "user", content: "Copy this: Mira bought 3 apples in Talon." }],
  ...{ max_tokens: 12, temperature: 0, ignore_eos: true },
}
const examples = Array.from({ length: 16 }, (_, i) => ({
  prompt: `Mira bought ${i} apples.`,
  completion: `apples: ${i}`,
}))

/** What an adapter answers, and which version does. */
const answerOf = async ({ ask }: Started, model: string): Promise<string> => {
  const { choices, system_fingerprint } = await ask(model)
  return `${system_fingerprint} ${choices[0]!.message.content}`
}

/** Waits, some seconds at most, until something is so. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`Expected that ${what}`)
    await Bun.sleep(50)
  }
}

test.skipIf(isSkipped)(
  "workerd is killed in mid stream, and while an adapter is published: the next one has adapters and documents whole",
  async () => {
    const keptIn = join(folder, "kept")
    const first = await started(keptIn)
    await first.add("tal", "The mayor of Tal is Mira Voss.")
    expect((await first.train("mine")).status).toBe(201)
    const [base, mine] = [await answerOf(first, "sprig"), await answerOf(first, "mine")]
    const reader = await first.streaming("mine")
    first.kill()
    // What was under way ends, in an error or without its last event.
    const rest = await (async () => {
      let text = ""
      for (let part = await reader.read(); !part.done; part = await reader.read())
        text += new TextDecoder().decode(part.value)
      return text
    })().catch(() => "")
    expect(rest).not.toContain("[DONE]")
    await ended(first.workerd)

    const second = await started(keptIn)
    expect([await answerOf(second, "sprig"), await answerOf(second, "mine")]).toEqual([base, mine])
    expect((await second.search("mayor of Tal")).data.map(({ document_id }) => document_id)).toEqual(["tal"])
    const blobs = (await second.keys("blobs/")).length
    // All files are there, and what names them isn't.
    await second.fail({ key: "adapters/", how: "hang" })
    const training = second.train("mine", { seed: 5 }).catch(() => null)
    await until("the files of the next version are put", async () => (await second.keys("blobs/")).length >= blobs + 2)
    await second.fail({ key: "documents/", how: "hang" })
    const adding = second.add("lak", "The Lak is a deep lake.").catch(() => null)
    await Bun.sleep(200)
    second.kill()
    await Promise.all([training, adding])
    await ended(second.workerd)

    const third = await started(keptIn)
    try {
      expect([await answerOf(third, "sprig"), await answerOf(third, "mine")]).toEqual([base, mine])
      expect((await third.search("deep lake")).data).toEqual([])
      expect((await third.train("mine", { seed: 5 })).status).toBe(201)
      expect(await answerOf(third, "mine")).not.toBe(mine)
      await third.add("lak", "The Lak is a deep lake.")
      expect((await third.search("deep lake")).data.map(({ document_id }) => document_id)).toEqual(["lak"])
    } finally {
      await ended(third.workerd)
    }
  },
  120_000,
)

test.skipIf(isSkipped)(
  "a bucket that refuses an adapter is told as such; the one before answers on, and the next training is published",
  async () => {
    const here = await started()
    try {
      expect((await here.train("mine")).status).toBe(201)
      const mine = await answerOf(here, "mine")
      for (const key of ["blobs/", "adapters/mine"]) {
        await here.fail({ key, how: "refuse" })
        const response = await here.train("mine", { seed: 5 })
        expect([response.status, await response.text()]).toEqual([
          503,
          expect.stringContaining('The bucket did not take adapter \\"mine\\"'),
        ])
        expect(await answerOf(here, "mine")).toBe(mine)
      }
      const fresh = await here.train("fresh", { seed: 5 })
      expect(fresh.status).toBe(201)
      await here.fail({ key: null, how: "refuse" })
      expect((await here.train("mine", { seed: 5 })).status).toBe(201)
      const next = await answerOf(here, "mine")
      expect(next).not.toBe(mine)
      // Equal trainings make equal adapters.
      expect(await answerOf(here, "fresh")).toBe(next)
    } finally {
      await ended(here.workerd)
    }
  },
  120_000,
)

test.skipIf(isSkipped)(
  "a client that leaves in the middle of a training ends it: nothing is published, and the next one trains",
  async () => {
    const here = await started()
    try {
      await answerOf(here, "sprig")
      // A minute of work, if nobody left.
      const controller = new AbortController()
      const leaving = here.train("gone", { epochs: 200 }, controller.signal).then(
        ({ status }) => status,
        () => "left",
      )
      await Bun.sleep(500)
      expect((await here.train("other", { max_steps: 1 })).status).toBe(429)
      controller.abort()
      expect(await leaving).toBe("left")
      await until("the next training begins", async () => {
        const { status } = await here.train("next", { max_steps: 1 })
        if (status !== 429) expect(status).toBe(201)
        return status === 201
      })
      expect(await here.keys("adapters/gone")).toEqual([])
      expect((await here.ask("next")).choices).toHaveLength(1)
    } finally {
      await ended(here.workerd)
    }
  },
  120_000,
)

test.skipIf(isSkipped)(
  "clients that leave in mid stream leave their places free",
  async () => {
    const here = await started()
    try {
      const controller = new AbortController()
      const base = await answerOf(here, "sprig")
      // Four are answered at once.
      const readers = await Promise.all(Array.from({ length: 4 }, () => here.streaming("sprig", controller.signal)))
      const waiting = here.post(
        "/v1/chat/completions",
        { model: "sprig", ...question, max_tokens: 220 },
        controller.signal,
      )
      controller.abort()
      await Promise.allSettled([waiting, ...readers.map((reader) => reader.cancel())])
      await until("no place is taken", async () => {
        const { active, waiting } = await here.health()
        return active + waiting === 0
      })
      // They were not answered to their ends.
      const metrics = await (await here.workerd.dispatchFetch("http://localhost/metrics")).text()
      expect(metrics).toMatch(/espalier_requests_total\{[^}]*outcome="aborted"[^}]*\} [45]\n/)
      expect(await Promise.all(Array.from({ length: 6 }, () => answerOf(here, "sprig")))).toEqual(
        Array.from({ length: 6 }, () => base),
      )
    } finally {
      await ended(here.workerd)
    }
  },
  120_000,
)
