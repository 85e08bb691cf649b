/**
 * @module One loaded adapter for each key, while the process lives.
 */
import { expect, test } from "bun:test"
import { createOnceCache } from "../../../src/service/once-cache.ts"
import { KEY_LIFETIME } from "../../../src/store/idempotency.ts"
import { createFakeApp } from "../../support/fake-app.ts"

test("a key gives the first answer again, also to whoever asks meanwhile, for a day", async () => {
  let time = 0
  let made = 0
  const cache = createOnceCache(() => time)
  const make = async () => ({ number: ++made })
  const run = (idempotencyKey: string | null, body: unknown = "a", owner = "") =>
    cache.run({ owner, ...(idempotencyKey !== null && { idempotencyKey }) }, body, make)
  const [first, meanwhile] = await Promise.all([run("k"), run("k")])
  expect([first.number, meanwhile.number, (await run("k")).number]).toEqual([1, 1, 1])
  await expect(run("k", "b")).rejects.toMatchObject({ code: "conflict" })
  await expect(run("a b")).rejects.toMatchObject({ code: "invalid_request" })
  expect([(await run("k", "a", "another")).number, (await run(null)).number, (await run(null)).number]).toEqual([
    2, 3, 4,
  ])
  time = KEY_LIFETIME
  expect((await run("k", "b")).number).toBe(5)
})

test("what failed is made anew", async () => {
  const cache = createOnceCache(() => 0)
  const caller = { idempotencyKey: "k" }
  await expect(cache.run(caller, "a", () => Promise.reject(new Error("no")))).rejects.toThrow("no")
  expect(await cache.run(caller, "b", async () => 1)).toBe(1)
})

test("an adapter that is loaded again with its key is answered as the first time", async () => {
  const app = await createFakeApp()
  const load = (body: object, key = "k") => app.post("/v1/adapters", body, { "idempotency-key": key })
  const body = { name: "sql", path: "sql" }
  const first = await load(body)
  expect(first.status).toBe(201)
  const again = await load(body)
  expect([again.status, await again.json()]).toEqual([201, await first.json()])
  expect((await load({ ...body, path: "other" })).headers.get("x-should-retry")).toBe("false")
  expect((await load(body, "another-key")).status).toBe(409)
})
