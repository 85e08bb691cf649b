/**
 * @module A program that takes a file and a job over HTTP's routes and runs the job with real writes, in a store's folder:
 * `killed-writer.ts <folder> <n>`. With {@link bundleKilledWriter}'s modules in the place of `node:fs`, it kills itself after its
 * n-th write. Prints what it acknowledges, and at its end how many writes there were.
 */
import process from "node:process"
import { createApp } from "../../routes/app.ts"
import { f32 } from "../../src/core/tensor.ts"
import { checkpointName, folderOf } from "../../src/jobs/model-name.ts"
import type { JobRunner } from "../../src/jobs/runner.ts"
import { openStore, openTraining } from "../../src/presets/open-store.ts"
import { createService } from "../../src/service/service.ts"
import { writeAdapterFolder } from "../../src/store/adapter-folder.ts"
import { recoverFolder, writeFileAtomic } from "../../src/store/atomic.ts"
import type { Database } from "../../src/store/database.ts"
import { readFileIfThere, removeFile } from "../../src/store/file.ts"
import { createFakeEngine, fakeRoot } from "./fake-engine.ts"
import { rowOf } from "./job-store.ts"

const STEPS = 6
const EVERY = 2

/** What the modules in the place of `node:fs` count with. */
const { wrote, writes } = (globalThis as unknown as { io: { wrote(): void; writes(): number } }).io
const [folder] = process.argv.slice(2) as [string]
const say = (line: string): void => console.log(line)

const opened = await openStore(folder)
const { database } = opened.store
const run: Database["run"] = (sql, ...values) => {
  const changes = database.run(sql, ...values)
  wrote()
  return changes
}
const store = { ...opened.store, database: { ...database, run } }
const { engine } = createFakeEngine()

const stateOf = (job: string): string => `${folder}/runs/${job}/state.json`
const publish = (model: string, step: number): Promise<void> =>
  writeAdapterFolder(
    `${folder}/adapters/${folderOf(model)}`,
    {
      config: { step },
      tensors: new Map([["a", f32([2, 4], new Float32Array(8).fill(step))]]),
      facts: { base: { name: "base", hash: engine.info.baseHash } },
    },
    "For a test.\n",
  )
const runner: JobRunner = {
  check() {},
  forget: (job) => removeFile(stateOf(job)),
  async run({ id, model }, { onEvent, onCheckpoint, signal }) {
    await recoverFolder(stateOf(id))
    const kept = await readFileIfThere(stateOf(id))
    let step = kept ? (JSON.parse(new TextDecoder().decode(kept)) as { step: number }).step : 0
    onEvent({ type: "started", threads: 1, steps: STEPS, resumedAt: step })
    while (step < STEPS) {
      if (signal.aborted) return { status: "interrupted", step }
      step++
      onEvent({ type: "step", step, steps: STEPS, loss: 1 / step, durationMs: 1, data: {} })
      if (step % EVERY > 0 || step === STEPS) continue
      const checkpoint = checkpointName(model, step)
      await publish(checkpoint, step)
      await onCheckpoint({ step, model: checkpoint, metrics: { step } })
      await writeFileAtomic(stateOf(id), new TextEncoder().encode(JSON.stringify({ step })))
    }
    await publish(model, step)
    return { status: "completed", step, trainedTokens: 60, heldBack: null, metrics: "step\n6\n" }
  },
}
const training = await openTraining({ store, folder, engine, runner })
const app = createApp(createService({ engine, store, training, adapterRoot: { path: fakeRoot } }))

const post = async (path: string, body: FormData | string): Promise<string> => {
  const type = typeof body === "string" ? { "content-type": "application/json" } : {}
  const headers = { host: "localhost", "idempotency-key": path.replaceAll("/", "-"), ...type }
  const response = await app.request(path, { method: "POST", headers, body })
  const { id, error } = (await response.json()) as { id: string; error?: { message: string } }
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${error?.message}`)
  return id
}
const form = new FormData()
form.set("purpose", "fine-tune")
form.set("file", new File([rowOf("Who?", "Mira")], "a.jsonl"))
const file = await post("/v1/files", form)
say(`file ${file}`)
const job = await post("/v1/fine_tuning/jobs", JSON.stringify({ model: "base", training_file: file, seed: 1 }))
say(`job ${job}`)
while (true) {
  const response = await app.request(`/v1/fine_tuning/jobs/${job}`, { headers: { host: "localhost" } })
  const { fine_tuned_model, finished_at } = (await response.json()) as Record<string, unknown>
  if (finished_at !== null) {
    say(`model ${fine_tuned_model}`)
    break
  }
  await new Promise((resolve) => setTimeout(resolve, 1))
}
await training.queue.close()
say(`writes ${writes()}`)
process.exit(0)
