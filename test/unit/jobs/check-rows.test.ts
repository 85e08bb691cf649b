import { expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { damageOf } from "../../../src/jobs/check-rows.ts"
import { addEvents } from "../../../src/jobs/event-table.ts"
import type { JobSpec } from "../../../src/jobs/job-record.ts"
import { addJob } from "../../../src/jobs/job-table.ts"
import { openStore } from "../../../src/presets/open-store.ts"
import { temporaryStore } from "../../support/job-store.ts"

const spec: JobSpec = {
  ...{ model: "base", suffix: null, seed: 1, trainingFile: { id: "f", name: "n", sha256: "s" }, validationFile: null },
  ...{ epochs: 3, batchSize: 8, rateMultiplier: 1, method: "lora", settings: {}, learningRate: null, maxSteps: null },
  ...{ maxLength: null, heldoutPart: 0, evaluateEvery: null, patience: null, checkpointEvery: 50, lossOn: "all" },
  maxForgetting: null,
}

test("rows as they are written are sound, and each thing that can be wrong with them is found", async () => {
  const temporary = await temporaryStore()
  const { database } = temporary.store
  const job = { id: "j", owner: "", createdAt: 1, baseHash: "b", spec, modelName: "m", metadata: { a: "b" } }
  addJob(database, job)
  addEvents(temporary.store, "j", [{ message: "Created" }])
  expect(damageOf(database)).toBeNull()
  const damages: readonly (readonly [sql: string, found: RegExp])[] = [
    ["UPDATE jobs SET status = 'runninf'", /no right status/],
    ["UPDATE jobs SET step = 'one'", /jobs has no right number/],
    ["UPDATE jobs SET spec = replace(spec, 'epochs', 'epocht')", /spec of a row of jobs .*epochs/],
    ["UPDATE jobs SET spec = replace(spec, '{', '[')", /spec of a row of jobs/],
    ["UPDATE jobs SET metadata = '[1]'", /metadata of a row of jobs/],
    ["UPDATE events SET level = 'imfo'", /no right level or type/],
    ["UPDATE events SET data = '{'", /data of a row of events/],
    ["PRAGMA user_version = 65537", /of version 65537/],
    ["PRAGMA user_version = 0", /of version 0/],
  ]
  for (const [sql, found] of damages) {
    const version = Number(database.get("PRAGMA user_version")!["user_version"])
    const rolledBack = new Error("back")
    try {
      database.transaction(() => {
        database.run(sql)
        expect([sql, damageOf(database)]).toEqual([sql, expect.stringMatching(found)])
        throw rolledBack
      })
    } catch (error) {
      if (error !== rolledBack) throw error
    }
    expect(Number(database.get("PRAGMA user_version")!["user_version"])).toBe(version)
    expect(damageOf(database)).toBeNull()
  }
  temporary.remove()
})

test("a header of a format that there is not is damage, though SQLite would open it and refuse every write", async () => {
  const temporary = await temporaryStore()
  temporary.store.database.close()
  const path = join(temporary.folder, "jobs.sqlite")
  const bytes = readFileSync(path)
  bytes[18] = 3
  writeFileSync(path, bytes)
  const { store, quarantined } = await openStore(temporary.folder)
  expect(quarantined).toStartWith(`${path}.damaged-`)
  store.database.run("DELETE FROM files")
  store.database.close()
  temporary.remove()
})
