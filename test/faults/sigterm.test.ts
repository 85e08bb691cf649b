/**
 * @module SIGTERM at random moments of a server that answers and trains: every stream that began reaches its end, the process
 * ends with 0, and the next one goes on with the job from the checkpoint that the first one wrote.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { toFile } from "openai"
import { type RawReply, sendRaw } from "../../scripts/torture/raw-http.ts"
import { rng } from "../../src/core/rng.ts"
import { rowOf } from "../support/job-store.ts"
import { type Served, startServed } from "../support/served.ts"
import { times } from "../support/times.ts"

const signals = times(8)
const STREAMS = 6
const store = mkdtempSync(join(tmpdir(), "espalier-sigterm-"))
let served: Served | null = null
let job: string

const stepOf = async ({ client }: Served): Promise<number> => {
  const { status, error, ...found } = await client.fineTuning.jobs.retrieve(job)
  expect([status, error?.message]).toEqual([expect.stringMatching(/^(queued|running|validating_files)$/), undefined])
  return (found as unknown as { espalier: { step: number } }).espalier.step
}

beforeAll(async () => {
  served = await startServed(store)
  const { client } = served
  const rows = Array.from({ length: 500 }, (_, i) => rowOf(`Mira bought ${i} apples.`, `apples: ${i}`)).join("")
  const file = await toFile(new TextEncoder().encode(rows), "rows.jsonl")
  const { id } = await client.files.create({ file, purpose: "fine-tune" })
  // More steps than there will be time for, and no checkpoint but those that a signal asks for.
  const created = await client.fineTuning.jobs.create({
    ...{ model: "sprig", training_file: id, seed: 1, hyperparameters: { n_epochs: 50, batch_size: 4 } },
    espalier: { checkpoint_every: 100_000 },
  } as Parameters<typeof client.fineTuning.jobs.create>[0])
  job = created.id
}, 300_000)
afterAll(async () => {
  served?.child.kill("SIGKILL")
  await served?.ended
  rmSync(store, { recursive: true, force: true })
})

test(`${signals} servers are told to end under load and in training`, async () => {
  const random = rng(Number(process.env["ESPALIER_SEED"] ?? 1), "sigterm")
  let reached = 0
  let began = 0
  for (let i = 0; i < signals; i++) {
    served ??= await startServed(store)
    const { url, child, ended } = served
    // It goes on where the one before was told to stop, and at least a step is done before it is told so itself.
    expect(await stepOf(served)).toBeGreaterThanOrEqual(reached)
    while ((await stepOf(served)) <= reached) await Bun.sleep(5)
    let streaming = 0
    const first = new Promise<void>((resolve) => {
      const wanted = 1 + random.below(STREAMS)
      const opened = (): void => {
        if (++streaming === wanted) resolve()
      }
      for (let n = 0; n < STREAMS; n++) streams.push(stream(url, 1 + random.below(32), opened))
    })
    await first
    reached = await stepOf(served)
    child.kill("SIGTERM")
    const replies = await Promise.all(streams.splice(0))
    for (const { status, end, text } of replies) {
      // Whom it didn't hear before it stopped listening, it didn't answer.
      if (status === 0) expect([end, text]).toEqual(["broken", ""])
      else if (status === 503) expect(text).toContain("shutting down")
      else {
        began++
        expect([status, end, text.endsWith("data: [DONE]\n\n\r\n0\r\n\r\n")]).toEqual([200, "whole", true])
        expect(text).toContain('"finish_reason":"length"')
      }
    }
    expect([await ended, served.errors()]).toEqual([0, expect.not.stringMatching(/error/i)])
    served = null
  }
  expect(began).toBeGreaterThanOrEqual(signals)
}, 1_800_000)

test("a second signal ends a server at once, and loses no job", async () => {
  served = await startServed(store)
  const { url, child, ended } = served
  await new Promise<void>((resolve) => streams.push(stream(url, 400, resolve)))
  child.kill("SIGTERM")
  while (!served.errors().includes("SIGTERM")) await Bun.sleep(1)
  child.kill("SIGTERM")
  expect(await ended).toBe(143)
  expect((await Promise.all(streams.splice(0))).map(({ end }) => end)).toEqual(["broken"])
  served = await startServed(store)
  expect(await stepOf(served)).toBeGreaterThan(0)
}, 300_000)

const streams: Promise<RawReply>[] = []

/** Asks for a stream of so many tokens. @param opened called when its first event is there */
function stream(url: string, tokens: number, opened: () => void): Promise<RawReply> {
  const messages = [{ role: "user", content: "Mira bought 3 apples." }]
  let isOpen = false
  return sendRaw({
    ...{ url, path: "/v1/chat/completions", timeoutMs: 60_000 },
    body: { model: "sprig", messages, max_tokens: tokens, stream: true, ignore_eos: true },
    onOpen: (socket) =>
      socket.on("data", () => {
        if (!isOpen) opened()
        isOpen = true
      }),
  })
}
