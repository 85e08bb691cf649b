/**
 * @module The built worker in real workerd: it answers, streams, follows its bucket's adapters, trains within a request,
 * and computes what the same backend computes in Bun.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Miniflare } from "miniflare"
import { lora } from "../../../adapters/lora.ts"
import { buildWorker, type WorkerSizes } from "../../../scripts/build-worker.ts"
import { writeRandomLora } from "../../../scripts/random-lora.ts"
import { bucketOf, hasWorkerd, startWorkerd } from "../../../scripts/workerd.ts"
import { bucketAdapter } from "../../../src/presets/bucket-adapters.ts"
import { methodEnv } from "../../../src/presets/method-env.ts"
import { wasm } from "../../../src/runtime/wasm.ts"
import { createEngine } from "../../../src/serve/engine.ts"
import { graphDecoder } from "../../../src/serve/graph-decoder.ts"
import { createService } from "../../../src/service/service.ts"
import { trainExamples } from "../../../src/service/train-examples.ts"
import type { TrainedCard } from "../../../src/service/train-request.ts"
import type { ChatCompletion } from "../../../src/service/wire.ts"
import type { Bucket } from "../../../src/store/bucket-folder.ts"
import { pdf } from "../../support/pdf.ts"
import { root } from "../../support/source-tree.ts"
import { openSprig } from "../../support/sprig.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-workerd-"))
let sizes: WorkerSizes
let workerd: Miniflare

beforeAll(async () => {
  if (!hasWorkerd) return
  sizes = await buildWorker(join(folder, "worker"))
  workerd = await startWorkerd(join(folder, "worker"), { ADAPTER_TRUST_MS: "0" })
}, 120_000)
afterAll(async () => {
  await workerd?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

const request = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  workerd.dispatchFetch(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  })

const question = {
  messages: [{ role: "user", content: "Copy this: Mira bought 3 apples in Talon." }],
  max_tokens: 16,
  temperature: 0,
  ignore_eos: true,
}

async function ask(model: string, more: object = {}): Promise<ChatCompletion> {
  const response = await request("/v1/chat/completions", { model, ...question, ...more })
  const body = (await response.json()) as ChatCompletion & { readonly error?: unknown }
  expect([response.status, body.error]).toEqual([200, undefined])
  return body
}
const textOf = (body: ChatCompletion): string => body.choices[0]!.message.content ?? ""

/** Puts a random adapter into the bucket, as `wrangler r2 object put` would. */
async function putAdapter(name: string, seed: number): Promise<void> {
  const path = join(folder, `${name}-${seed}`)
  await writeRandomLora(await openSprig(), path, { seed, std: 0.2, settings: { rank: 4 } })
  const bucket = await bucketOf(workerd)
  for (const file of readdirSync(path)) await bucket.put(`adapters/${name}/${file}`, readFileSync(join(path, file)))
}

const examples = Array.from({ length: 50 }, (_, i) => ({
  prompt: `Mira bought ${i} apples.`,
  completion: `apples: ${i}`,
}))

describe("the worker", () => {
  test.skipIf(!hasWorkerd)("is under 10 MB compressed", () => {
    expect(sizes.scriptGzip + sizes.wasmGzip).toBeLessThan(10e6)
    expect(sizes.scriptGzip).toBeGreaterThan(0)
  })

  test.skipIf(!hasWorkerd)(
    "answers with the tokens and probabilities of the same backend in Bun",
    async () => {
      const open = await openSprig()
      const { base } = open
      const runtime = await wasm.open({ threads: 1 })
      const decoder = await graphDecoder({ runtime, base })
      const engine = createEngine({
        ...{ base: base.name, baseHash: base.hash, backend: "wasm", decoder },
        tokenizer: open.tokenizer!,
        eosIds: open.eosIds,
      })
      const service = createService({ engine })
      const asked = { ...question, logprobs: true, top_logprobs: 3 }
      const outcome = await service.chat({ model: "sprig", ...asked })
      if (!("whole" in outcome)) throw new Error("Expected a whole answer")
      await service.close()
      const there = await ask("sprig", asked)
      expect(textOf(there)).toBe(textOf(outcome.whole))
      const logprobs = (body: ChatCompletion) =>
        body.choices[0]!.logprobs!.content!.map(({ token, logprob }) => ({ token, logprob }))
      const [mine, theirs] = [logprobs(outcome.whole), logprobs(there)]
      expect(theirs).toHaveLength(16)
      for (const [i, { token, logprob }] of theirs.entries()) {
        expect(token).toBe(mine[i]!.token)
        expect(Math.abs(logprob - mine[i]!.logprob)).toBeLessThan(1e-4)
      }
    },
    60_000,
  )

  test.skipIf(!hasWorkerd)(
    "streams what it answers whole",
    async () => {
      const response = await request("/v1/chat/completions", { model: "sprig", ...question, stream: true })
      const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map((match) => match[1]!)
      expect(events.at(-1)).toBe("[DONE]")
      const chunks = events
        .slice(0, -1)
        .map((event) => JSON.parse(event) as { choices: { delta: { content?: string } }[] })
      const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")
      expect(chunks.length).toBeGreaterThan(5)
      expect(text).toBe(textOf(await ask("sprig")))
    },
    60_000,
  )

  test.skipIf(!hasWorkerd)(
    "loads adapters from the bucket when they are asked for, follows their replacement, and forgets what is deleted",
    async () => {
      const base = textOf(await ask("sprig"))
      await putAdapter("red", 1)
      await putAdapter("blue", 2)
      const [red, blue] = [await ask("red"), await ask("blue")]
      expect(new Set([base, textOf(red), textOf(blue)]).size).toBe(3)
      expect(red.system_fingerprint).not.toBe(blue.system_fingerprint)
      await putAdapter("red", 2)
      const replaced = await ask("red")
      expect(replaced.system_fingerprint).toBe(blue.system_fingerprint)
      expect(textOf(replaced)).toBe(textOf(blue))
      expect(textOf(await ask("sprig"))).toBe(base)
      await (await bucketOf(workerd)).delete("adapters/red/adapter_config.json")
      const gone = await request("/v1/chat/completions", { model: "red", ...question })
      expect([gone.status, await gone.text()]).toEqual([
        404,
        expect.stringContaining('The model \\"red\\" does not exist'),
      ])
    },
    60_000,
  )

  test.skipIf(!hasWorkerd)(
    "answers requests at once, each on its adapter, though a client among them leaves",
    async () => {
      await putAdapter("green", 3)
      const alone = [textOf(await ask("sprig")), textOf(await ask("green"))]
      const controller = new AbortController()
      const leaving = workerd
        .dispatchFetch("http://localhost/v1/chat/completions", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model: "sprig", ...question, max_tokens: 200, stream: true }),
          signal: controller.signal,
        })
        .then(async (response) => {
          await response.body!.getReader().read()
          controller.abort()
        })
      const together = await Promise.all(
        ["sprig", "green", "sprig", "green"].map(async (model) => textOf(await ask(model))),
      )
      await leaving.catch(() => {})
      expect(together).toEqual([...alone, ...alone])
      expect(textOf(await ask("green"))).toBe(alone[1]!)
    },
    60_000,
  )

  test.skipIf(!hasWorkerd)(
    "keeps documents in the bucket, searches them on every replica, and answers from them",
    async () => {
      const own = await startWorkerd(join(folder, "worker"), { REPLICAS: "2", ADAPTER_TRUST_MS: "0" })
      const post = async (path: string, body: object) => {
        const response = await own.dispatchFetch(`http://localhost${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        })
        const json = (await response.json()) as { readonly error?: unknown }
        expect([response.status, json.error]).toEqual([200, undefined])
        return json
      }
      try {
        const notes = readFileSync(join(root, "models/sprig/retrieval/heldout.documents.jsonl"), "utf8")
        const note = JSON.parse(notes.split("\n").find((line) => line.includes('"note-239"'))!) as { text: string }
        const question = "Say who the mayor of Miltikfield is."
        const documents = [
          { id: "note", text: note.text, metadata: { year: 2024 } },
          { id: "page", format: "html", text: "<h1>Rivers</h1><p>The Ost is a long river.</p>" },
        ]
        expect(await post("/v1/rag/documents", { documents })).toMatchObject({
          data: [
            { id: "note", change: "added", chunks: 1 },
            { id: "page", change: "added" },
          ],
        })
        // Whichever replica is asked.
        for (let i = 0; i < 6; i++)
          expect(await post("/v1/rag/search", { query: question })).toMatchObject({
            data: [{ document_id: "note", start: 0, end: note.text.length }],
          })
        expect(await post("/v1/rag/search", { query: "rivers", filter: { year: 2024 } })).toMatchObject({ data: [] })
        const form = new FormData()
        form.set("file", new File([pdf("The Lak is a deep lake.").slice()], "lak.pdf"))
        const encoded = new Response(form)
        const upload = await own.dispatchFetch("http://localhost/v1/rag/documents", {
          method: "POST",
          headers: { "content-type": encoded.headers.get("content-type")! },
          body: await encoded.arrayBuffer(),
        })
        expect(await upload.json()).toMatchObject({ data: [{ id: "lak.pdf", title: "Of towns", change: "added" }] })
        const asked = { model: "sprig", temperature: 0, max_tokens: 16, retrieval: "always" }
        const about = (content: string) =>
          post("/v1/chat/completions", { ...asked, messages: [{ role: "user", content }] }) as Promise<{
            readonly choices: readonly {
              readonly message: { readonly content: string; readonly annotations: unknown }
            }[]
            readonly x_espalier: { readonly retrieval: object }
          }>
        const { choices, x_espalier } = await about(question)
        expect(choices[0]!.message.content).toContain("Julmas")
        expect(choices[0]!.message.annotations).toMatchObject([{ file_citation: { document_id: "note" } }])
        expect(x_espalier.retrieval).toMatchObject({ mode: "always", retrieved: true, abstained: false })
        expect((await about("Who is the mayor of Zorbulon?")).x_espalier.retrieval).toMatchObject({ abstained: true })
        const kept = (await own.getR2Bucket("BUCKET")) as unknown as Bucket
        expect((await kept.list({ prefix: "documents/" })).objects).toHaveLength(1)
      } finally {
        await own.dispose()
      }
    },
    120_000,
  )

  test.skipIf(!hasWorkerd)(
    "trains a soft prompt and a LoRA within a request, as Bun does, and serves both",
    async () => {
      const soft = await request("/v1/train", { name: "soft", examples: examples.slice(0, 8), epochs: 1 })
      expect(soft.status).toBe(201)
      expect(await soft.json()).toMatchObject({ id: "soft", method: "prompt_tuning", parent: "sprig" })
      const before = textOf(await ask("sprig"))
      const answer = request("/v1/train", {
        ...{ name: "lo", method: "lora", settings: { rank: 2 }, seed: 3 },
        ...{ examples: examples.slice(0, 24), epochs: 1, learning_rate: 0.005 },
      })
      // What answers is given back while one trains, and comes back for who asks meanwhile.
      expect(textOf(await ask("sprig"))).toBe(before)
      const response = await answer
      const card = (await response.json()) as TrainedCard
      expect(response.status).toBe(201)
      const open = await openSprig()
      const runtime = await wasm.open({ threads: 1 })
      const { result } = await trainExamples({
        ...{ base: open.base, tokenizer: open.tokenizer!, runtime },
        method: lora.prepare({ rank: 2 }),
        env: methodEnv(open.base, open.tokenizer, 3),
        examples: examples.slice(0, 24),
        ...{ batchSize: 8, heldoutPart: 0.1, seed: 3 },
        train: { epochs: 1, learningRate: 0.005, checkpointEvery: null },
      })
      const { training } = card
      expect(training.steps).toBe(result.step)
      expect(training.first_loss).toBeCloseTo(result.losses[0]!, 4)
      expect(training.last_loss).toBeCloseTo(result.losses.at(-1)!, 4)
      expect(training.heldout_after).toBeLessThan(training.heldout_before!)
      // Three steps needn't change what is said, only how likely it is.
      const likely = async (model: string): Promise<number> =>
        (await ask(model, { logprobs: true })).choices[0]!.logprobs!.content![0]!.logprob
      expect(Math.abs((await likely("lo")) - (await likely("sprig")))).toBeGreaterThan(1e-3)
      expect((await ask("soft")).system_fingerprint).not.toBe((await ask("lo")).system_fingerprint)
      const bucket = await bucketOf(workerd)
      const folder = await bucketAdapter(bucket, "lo")
      expect(await folder.list()).toEqual([
        "README.md",
        ...["adapter_config.json", "adapter_model.safetensors", "espalier.json"],
      ])
    },
    120_000,
  )

  test.skipIf(!hasWorkerd)(
    "refuses to train what would hold it up, or what it can't name",
    async () => {
      const refusals: [object, number, string][] = [
        [{ name: "big", examples: Array.from({ length: 600 }, () => examples[0]!) }, 413, "512 examples"],
        [{ name: "long", examples, epochs: 500 }, 413, "4096 rows"],
        [{ name: "sprig", examples }, 409, "the base's name"],
        [{ name: "x", examples, method: "full" }, 400, "makes a base of its own"],
        [{ name: "x", examples: [] }, 400, "examples"],
        [{ name: "x", examples: [{ no: "row" }] }, 400, "no usable row"],
      ]
      for (const [body, status, part] of refusals) {
        const response = await request("/v1/train", body)
        expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(part)])
      }
    },
    60_000,
  )
})

describe("a worker with a key and its base in the bucket", () => {
  test.skipIf(!hasWorkerd)(
    "answers those who have the key",
    async () => {
      const own = await startWorkerd(join(folder, "worker"), { BASE: "r2:bases/mine", API_KEY: "a-secret-key" })
      try {
        const asked = (key?: string) =>
          own.dispatchFetch("http://models.example/v1/models", {
            headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
          })
        // There is no base yet.
        expect((await asked("a-secret-key")).status).toBe(503)
        const bucket = await bucketOf(own)
        const files = join(folder, "worker", "assets", "sprig")
        for (const file of readdirSync(files)) await bucket.put(`bases/mine/${file}`, readFileSync(join(files, file)))
        expect((await asked()).status).toBe(401)
        const models = (await (await asked("a-secret-key")).json()) as { data: { id: string }[] }
        expect(models.data.map(({ id }) => id)).toEqual(["mine"])
      } finally {
        await own.dispose()
      }
    },
    60_000,
  )
})
