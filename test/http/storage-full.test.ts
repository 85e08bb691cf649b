/**
 * @module A store without room: every refusal says so, nothing is half kept, and it goes on once there is room again.
 */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { asStorageError } from "../../src/store/storage-full.ts"
import { createFakeApp, type FakeApp } from "../support/fake-app.ts"
import { rowOf, type TemporaryStore, temporaryStore } from "../support/job-store.ts"

let temporary: TemporaryStore
let app: FakeApp
beforeAll(async () => {
  temporary = await temporaryStore()
  app = await createFakeApp({ store: temporary.store, storeFolder: temporary.folder })
})
afterAll(async () => {
  await app.service.close()
  temporary.remove()
})

const upload = async (name: string): Promise<{ status: number; body: { id?: string; error?: { code: string } } }> => {
  const form = new FormData()
  form.set("purpose", "fine-tune")
  // Large enough that it does not fit into what is free in the pages that there are.
  form.set("file", new File([rowOf("Who?", "Mira")], `${name.repeat(200)}.jsonl`))
  const response = await app.send("/v1/files", { method: "POST", body: form })
  return { status: response.status, body: await response.json() }
}
const jobOf = async (id: string) => (await (await app.get(`/v1/fine_tuning/jobs/${id}`)).json()) as { status: string }

/** The database may grow no further, or as it likes. */
const limitPages = (isFull: boolean): void => {
  const { database } = temporary.store
  const pages = Number(database.get("PRAGMA page_count")!["page_count"])
  database.get(`PRAGMA max_page_count = ${isFull ? pages : 1_000_000}`)
}

test("a full database refuses with 507, keeps nothing by halves, and goes on when it has room", async () => {
  const { id: file } = (await upload("a")).body
  limitPages(true)
  let refused: Awaited<ReturnType<typeof upload>> | null = null
  let kept = 1
  for (let i = 0; refused === null; i++) {
    const answer = await upload(`${i}`)
    if (answer.status === 200) kept++
    else refused = answer
  }
  expect([refused.status, refused.body.error!.code]).toEqual([507, "storage_full"])
  const count = () => temporary.store.database.get("SELECT count(*) AS n FROM files")!["n"]
  expect(count()).toBe(kept)
  const create = () =>
    app.post("/v1/fine_tuning/jobs", { model: "base", training_file: file, metadata: { k: "v".repeat(500) } })
  let status = 0
  while (status !== 507) ({ status } = await create())
  limitPages(false)
  expect((await upload("b")).status).toBe(200)
  const job = (await (await create()).json()) as { id: string }
  while ((await jobOf(job.id)).status !== "succeeded") await Bun.sleep(5)
  expect(app.runner.runs.map(({ id }) => id)).toContain(job.id)
}, 30_000)

test("errors of a full disk are known in every library's words, and no others are", () => {
  const error = (code: string, message = ""): Error => Object.assign(new Error(message), { code })
  for (const full of [
    error("ENOSPC"),
    error("EDQUOT"),
    error("SQLITE_FULL"),
    error("ERR_SQLITE_ERROR", "database or disk is full"),
  ]) {
    expect(asStorageError(full)).toMatchObject({ code: "storage_full", status: 507 })
  }
  for (const other of [error("EIO"), error("SQLITE_BUSY", "database is locked"), "text"])
    expect(asStorageError(other)).toBe(other)
})
