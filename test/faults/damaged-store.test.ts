/**
 * @module A job store whose database is damaged in any place: a server opens all the same, every adapter that jobs made is
 * served, new files and jobs are taken, and nothing is answered with 5xx.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isEspalierError } from "../../src/core/errors.ts"
import { type Rng, rng } from "../../src/core/rng.ts"
import { openStore } from "../../src/presets/open-store.ts"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"
import { rowOf } from "../support/job-store.ts"
import { times } from "../support/times.ts"

const trials = times(40)
const root = mkdtempSync(join(tmpdir(), "espalier-damaged-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** As servers leave their folder: one was ended, the other killed, so that some is in the write-ahead log only. */
const ended = join(root, "ended")
const killed = join(root, "killed")
let models: string[]

async function upload(app: FakeApp): Promise<string> {
  const form = new FormData()
  form.set("purpose", "fine-tune")
  form.set("file", new File([rowOf("Who?", "Mira")], "a.jsonl"))
  const response = await app.send("/v1/files", { method: "POST", body: form })
  expect(response.status).toBe(200)
  return ((await response.json()) as { id: string }).id
}

const unfinished = async (app: FakeApp): Promise<number> => {
  const response = await app.get("/v1/fine_tuning/jobs?limit=100")
  expect(response.status).toBe(200)
  const { data } = (await response.json()) as { data: { finished_at: number | null }[] }
  return data.filter((job) => job.finished_at === null).length
}

/** Trains a job. @returns its model */
async function train(app: FakeApp): Promise<string> {
  const response = await app.post("/v1/fine_tuning/jobs", { model: "base", training_file: await upload(app) })
  expect(response.status).toBe(200)
  const { id } = (await response.json()) as { id: string }
  while (true) {
    const job = (await (await app.get(`/v1/fine_tuning/jobs/${id}`)).json()) as { fine_tuned_model: string | null }
    if (job.fine_tuned_model !== null) return job.fine_tuned_model
    await Bun.sleep(1)
  }
}

beforeAll(async () => {
  const { store } = await openStore(ended)
  const app = await createFakeApp({ store, storeFolder: ended })
  models = [await train(app), await train(app), await train(app)]
  cpSync(ended, killed, { recursive: true })
  expect(existsSync(join(killed, "jobs.sqlite-wal"))).toBe(true)
  await app.service.close()
})

/** Damages a folder's database. @returns what was done */
function damage(folder: string, random: Rng): string {
  const database = join(folder, "jobs.sqlite")
  const files = [database, `${database}-wal`].filter((path) => existsSync(path))
  const path = random.pick(files)
  const bytes = readFileSync(path)
  const at = random.below(Math.max(1, bytes.length))
  const how = random.below(6)
  if (how === 0) {
    truncateSync(path, at)
    return `${path} cut after ${at} bytes`
  }
  if (how === 1) {
    if (files.length > 1) rmSync(`${database}-wal`)
    else writeFileSync(`${database}-wal`, new Uint8Array(5000).fill(7))
    return "the log gone, or a strange one there"
  }
  if (how === 2) bytes.fill(0, at, Math.min(bytes.length, at + 4096))
  else if (how === 3) for (let i = at; i < Math.min(bytes.length, at + 512); i++) bytes[i] = random.below(256)
  // The first hundred bytes say what the whole file is.
  else if (how === 4) bytes[random.below(100)]! ^= 1 << random.below(8)
  else for (let i = 0; i < 1 + random.below(32); i++) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
  writeFileSync(path, bytes)
  return `${path}: ${["", "", "zeros", "noise", "a bit of the header", "bits"][how]} at ${at}`
}

test(`${trials} damages of the database: servers open, adapters are served, work goes on`, async () => {
  const random = rng(Number(process.env["ESPALIER_SEED"] ?? 1), "damaged-store")
  const wrong: string[] = []
  let quarantines = 0
  for (let i = 0; i < trials; i++) {
    const folder = join(root, `trial-${i}`)
    cpSync(random.pick([ended, killed]), folder, { recursive: true })
    const what = damage(folder, random)
    const trial = async (): Promise<void> => {
      const { store, quarantined } = await openStore(folder)
      const app = await createFakeApp({ store, storeFolder: folder })
      try {
        if (quarantined !== null) {
          quarantines++
          expect(existsSync(quarantined)).toBe(true)
        }
        // A log that ends early takes the store back to a moment before: jobs that were running then run again.
        while ((await unfinished(app)) > 0) await Bun.sleep(1)
        for (const model of models) {
          const answer = await app.post("/v1/completions", { model, prompt: "x", max_tokens: 3 })
          expect([model, answer.status]).toEqual([model, 200])
        }
        await train(app)
        for (const path of ["/v1/models", "/v1/files", "/v1/fine_tuning/jobs?limit=100"]) {
          const response = await app.get(path)
          expect([path, response.status]).toEqual([path, 200])
          if (!path.includes("jobs")) continue
          for (const { id } of ((await response.json()) as { data: { id: string }[] }).data)
            for (const more of ["", "/events", "/checkpoints"])
              expect((await app.get(`/v1/fine_tuning/jobs/${encodeURIComponent(id)}${more}`)).status).toBeLessThan(500)
        }
        expect(app.reported).toEqual([])
      } finally {
        await app.service.close()
      }
    }
    await trial().catch((error: unknown) => {
      // A bit in the number of its version makes a store of a later program, which no other may touch.
      if (isEspalierError(error, "unsupported") && /is of version \d+/.test(error.message)) return
      wrong.push(`Trial ${i}, ${what}: ${error}`)
    })
    rmSync(folder, { recursive: true })
  }
  expect(wrong).toEqual([])
  // Some damage is in places that nothing needs.
  expect(quarantines).toBeGreaterThan(trials / 10)
}, 600_000)
