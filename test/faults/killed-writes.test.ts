/**
 * @module kill -9 after each write of a job's life, and in the middle of each: started again, the program has what it
 * acknowledged, the job ends once, its adapter is whole, and nothing torn is served.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listCheckpoints, listEvents } from "../../src/jobs/event-table.ts"
import { listFiles } from "../../src/jobs/file-table.ts"
import { listJobs } from "../../src/jobs/job-table.ts"
import { folderOf } from "../../src/jobs/model-name.ts"
import { openStore } from "../../src/presets/open-store.ts"
import { openAdapterFolder } from "../../src/store/adapter-folder.ts"
import { bundleKilledWriter } from "../support/bundle-killed-writer.ts"
import { times } from "../support/times.ts"

const kills = times(12)
const root = mkdtempSync(join(tmpdir(), "espalier-killed-writes-"))
let program: string
beforeAll(async () => {
  program = await bundleKilledWriter(root)
}, 60_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What a run said before its end. */
interface Run {
  readonly wasKilled: boolean
  readonly said: ReadonlyMap<string, string>
}

/** Runs the program, to its n-th write or to its end. */
async function run(store: string, n: number): Promise<Run> {
  const child = Bun.spawn([process.execPath, program, store, String(n)], { stdout: "pipe", stderr: "pipe" })
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  await child.exited
  const wasKilled = child.signalCode === "SIGKILL"
  if (!wasKilled && child.exitCode !== 0) throw new Error(`After ${n} writes: ${errors}`)
  expect([n, errors]).toEqual([n, ""])
  const lines = out
    .trim()
    .split("\n")
    .filter((line) => line !== "")
  return { wasKilled, said: new Map(lines.map((line) => line.split(" ") as [string, string])) }
}

const page = { limit: 100, after: null, order: "asc" } as const

/** What a store holds, apart from its ids. @throws if it contradicts itself or `said` */
async function contentOf(folder: string, said: ReadonlyMap<string, string>): Promise<string> {
  const { store, quarantined } = await openStore(folder)
  try {
    expect(quarantined).toBeNull()
    const { database } = store
    const jobs = listJobs(database, { owner: "" }, page).items
    expect(jobs.map(({ id, status, model }) => [id, status, model])).toEqual([
      [said.get("job")!, "succeeded", said.get("model")!],
    ])
    expect(listFiles(database, "", "fine-tune", page).items.map(({ id }) => id)).toEqual([said.get("file")!])
    expect(listFiles(database, "", "fine-tune-results", page).items).toHaveLength(1)
    const messages = listEvents(database, jobs[0]!.id, page).items.map(({ message }) => message)
    for (const once of ["New fine-tuned model created", "The job has successfully completed", "Step 1/6", "Step 6/6"])
      expect(messages.filter((message) => message.startsWith(once))).toHaveLength(1)
    const checkpoints = listCheckpoints(database, jobs[0]!.id, page).items
    const adapters = join(folder, "adapters")
    const models = [said.get("model")!, ...checkpoints.map(({ model }) => model)]
    expect(readdirSync(adapters).toSorted()).toEqual(models.map(folderOf).toSorted())
    const hashes: string[] = []
    for (const model of models) {
      expect((await openAdapterFolder(join(adapters, folderOf(model)))).verified).toBe(true)
      const path = join(adapters, folderOf(model), "adapter_model.safetensors")
      hashes.push(createHash("sha256").update(readFileSync(path)).digest("hex"))
    }
    // What the job still needs: its metrics, and its file for whoever lists it.
    expect((await store.contents.list()).length).toBe(2)
    return JSON.stringify([checkpoints.map(({ step }) => step), hashes])
  } finally {
    store.database.close()
  }
}

test(`${kills} kills, each after another write`, async () => {
  const whole = await run(join(root, "whole"), 0)
  const wanted = await contentOf(join(root, "whole"), whole.said)
  const writes = Number(whole.said.get("writes"))
  expect(writes).toBeGreaterThan(100)
  let killed = 0
  const every = Math.max(1, Math.floor(writes / kills))
  for (let n = every === 1 ? 1 : 1 + (kills % every); n <= writes; n += every) {
    const folder = join(root, `killed-${n}`)
    const { wasKilled, said } = await run(folder, n)
    if (wasKilled) killed++
    const again = wasKilled ? await run(folder, 0) : { said }
    for (const [what, id] of said) if (what !== "writes") expect([n, what, again.said.get(what)]).toEqual([n, what, id])
    expect([n, await contentOf(folder, again.said)]).toEqual([n, wanted])
    rmSync(folder, { recursive: true })
  }
  // How many writes there are depends a little on when events are written down.
  expect(killed).toBeGreaterThanOrEqual(Math.min(kills, writes) - 5)
}, 3_600_000)
