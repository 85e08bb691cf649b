/**
 * @module kill -9 at random moments of a server that takes files and jobs and trains: started again, it has every file and
 * job that it acknowledged, each job ends once, and its adapter has the bytes of one that nobody disturbed.
 * ESPALIER_TIMES says how many kills (3 unless it is set).
 */
import { afterAll, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type OpenAI from "openai"
import { toFile } from "openai"
import { rng } from "../../../src/core/rng.ts"
import { folderOf } from "../../../src/jobs/model-name.ts"
import { rowOf } from "../../support/job-store.ts"
import { type Served, startServed } from "../../support/served.ts"
import { times } from "../../support/times.ts"

const root = mkdtempSync(join(tmpdir(), "espalier-kill-serve-"))
let served: Served | null = null
afterAll(async () => {
  served?.child.kill("SIGKILL")
  await served?.ended
  rmSync(root, { recursive: true, force: true })
})

const kills = times(3)
/** Each job is disturbed so often. */
const KILLS_OF_A_JOB = 3
const rows = Array.from({ length: 24 }, (_, i) => rowOf(`Mira bought ${i} apples.`, `apples: ${i}`)).join("")

const upload = async (client: OpenAI, text: string): Promise<string> => {
  const file = await toFile(new TextEncoder().encode(text), "rows.jsonl")
  return (await client.files.create({ file, purpose: "fine-tune" })).id
}
const createJob = (client: OpenAI, file: string) =>
  client.fineTuning.jobs.create(
    {
      model: "sprig",
      training_file: file,
      suffix: "kill",
      seed: 5,
      hyperparameters: { batch_size: 4 },
      espalier: {
        max_steps: 10,
        checkpoint_every: 2,
        evaluate_every: 5,
        heldout_part: 0.2,
        settings: { dropout: 0.1 },
      },
    } as OpenAI.FineTuning.JobCreateParams,
    { headers: { "Idempotency-Key": "the-job" } },
  )

/** sha256 of every file of a model's folder. */
const hashes = (store: string, model: string): Record<string, string> => {
  const folder = join(store, "adapters", folderOf(model))
  const entries = readdirSync(folder).map((file) => {
    const hash = createHash("sha256").update(readFileSync(join(folder, file)))
    return [file, hash.digest("hex")] as const
  })
  return Object.fromEntries(entries.toSorted())
}

/** Waits for the job's end, or for the server's. @returns the job's model, null if the server was killed before */
async function modelOf({ client, ended }: Served, job: string): Promise<string | null> {
  let isEnded = false
  ended.then(() => {
    isEnded = true
  })
  while (!isEnded) {
    const found = await client.fineTuning.jobs.retrieve(job).catch(() => null)
    if (found?.finished_at != null) {
      expect([found.status, found.error]).toEqual(["succeeded", null])
      return found.fine_tuned_model
    }
    await Bun.sleep(20)
  }
  return null
}

/** Trains a job in a store whose servers are killed after so many milliseconds each, and compares its model. */
async function disturbed(
  store: string,
  killAfterMs: readonly number[],
  wanted: Readonly<Record<string, string>>,
): Promise<void> {
  const acknowledged = new Map<string, string>()
  let training: string | null = null
  let job: string | null = null
  let model: string | null = null
  // The last server is left alone.
  for (let i = 0; ; i++) {
    served = await startServed(store)
    const { client, child } = served
    // Everything that it said it has, it has.
    for (const [id, text] of acknowledged) expect(await (await client.files.content(id)).text()).toBe(text)
    if (job !== null) expect((await client.fineTuning.jobs.retrieve(job)).id).toBe(job)
    // A job whose answer was lost may be there; never a second one.
    const jobs = (await client.fineTuning.jobs.list()).data.map(({ id }) => id)
    expect(jobs.length).toBeLessThanOrEqual(1)
    if (job !== null) expect(jobs).toEqual([job])
    const delay = killAfterMs[i]
    if (delay !== undefined) setTimeout(() => child.kill("SIGKILL"), delay)
    try {
      training ??= await upload(client, rows)
      acknowledged.set(training, rows)
      // Whether the answer was lost or not, the same key makes the same job.
      const created = await createJob(client, training)
      if (job !== null) expect(created.id).toBe(job)
      job = created.id
      for (let n = 0; n < 5; n++) {
        const text = rowOf(`Round ${i}?`, `Number ${n}`)
        acknowledged.set(await upload(client, text), text)
      }
      model = await modelOf(served, job)
    } catch (error) {
      // Only a request that the kill cut off may fail.
      if ((error as Error).constructor.name !== "APIConnectionError") throw error
    }
    if (delay === undefined) break
    await served.ended
  }
  const { client } = served
  expect(model).not.toBeNull()
  expect(hashes(store, model!)).toEqual(wanted)
  const messages: string[] = []
  for await (const event of client.fineTuning.jobs.listEvents(job!, { limit: 100 })) messages.push(event.message)
  expect(messages.filter((message) => message.startsWith("New fine-tuned model created"))).toHaveLength(1)
  for (let step = 1; step <= 10; step++) {
    expect(messages.filter((message) => message.startsWith(`Step ${step}/10:`))).toHaveLength(1)
  }
  const answer = await client.chat.completions.create({
    model: model!,
    messages: [{ role: "user", content: "Mira bought 3 apples." }],
    max_tokens: 8,
    temperature: 0,
  })
  expect(answer.choices[0]!.message.content).not.toBe("")
  served.child.kill("SIGTERM")
  expect(await served.ended).toBe(0)
}

test(`a server that was killed ${kills} times has lost nothing`, async () => {
  const wholeStore = join(root, "whole")
  served = await startServed(wholeStore)
  const started = performance.now()
  const whole = await createJob(served.client, await upload(served.client, rows))
  const wanted = hashes(wholeStore, (await modelOf(served, whole.id))!)
  const wholeMs = performance.now() - started
  expect(Object.keys(wanted)).toContain("adapter_model.safetensors")
  served.child.kill("SIGTERM")
  expect(await served.ended).toBe(0)

  const random = rng(Number(process.env["ESPALIER_SEED"] ?? 1), "serve-kills")
  for (let killed = 0; killed < kills; killed += KILLS_OF_A_JOB) {
    const times = Array.from({ length: Math.min(KILLS_OF_A_JOB, kills - killed) }, () => random.next() * 0.7 * wholeMs)
    await disturbed(join(root, `killed-${killed}`), times, wanted)
  }
}, 1_800_000)
