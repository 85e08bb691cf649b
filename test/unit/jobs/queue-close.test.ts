import { expect, test } from "bun:test"
import { openAdapterShelf } from "../../../src/jobs/adapter-shelf.ts"
import type { JobSpec } from "../../../src/jobs/job-record.ts"
import { addJob, findJob, moveJob } from "../../../src/jobs/job-table.ts"
import { startJobQueue } from "../../../src/jobs/queue.ts"
import type { JobOutcome } from "../../../src/jobs/runner.ts"
import { temporaryStore } from "../../support/job-store.ts"

test("a run that reaches no checkpoint in time is given up when the server closes, and its job waits to go on", async () => {
  const temporary = await temporaryStore()
  const { store } = temporary
  const spec = { model: "base", trainingFile: { id: "f", name: "f", sha256: "0" }, validationFile: null } as JobSpec
  addJob(store.database, {
    ...{ id: "j", owner: "", createdAt: 1, baseHash: "b", spec, modelName: "ft:base::1", metadata: null },
  })
  moveJob(store.database, "j", ["validating_files"], "queued")
  const heard: string[] = []
  let began: () => void
  const running = new Promise<void>((resolve) => {
    began = resolve
  })
  const queue = startJobQueue({
    ...{ store, baseHash: "b", serve: async () => {}, unserve: async () => {} },
    shelf: await openAdapterShelf(`${temporary.folder}/adapters`, "b", () => false),
    runner: {
      check() {},
      async forget() {},
      run: (_work, { signal, abandoned }) =>
        new Promise<JobOutcome>((_, reject) => {
          signal.addEventListener("abort", () => heard.push("told to stop"))
          abandoned.addEventListener("abort", () => {
            heard.push("given up")
            reject(new Error("its thread is gone"))
          })
          began()
        }),
    },
    onError: (error) => heard.push((error as Error).message),
  })
  await running
  expect(findJob(store.database, "j")!.status).toBe("running")
  await queue.close(5)
  expect(heard).toEqual(["told to stop", "given up", "its thread is gone"])
  expect(findJob(store.database, "j")!.status).toBe("queued")
  temporary.remove()
})
