/**
 * @module One creation for each key, for a day.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createOnce, KEY_LIFETIME } from "../../../src/store/idempotency.ts"
import { type TemporaryStore, temporaryStore } from "../../support/job-store.ts"

let temporary: TemporaryStore
beforeAll(async () => {
  temporary = await temporaryStore()
})
afterAll(() => temporary.remove())

let made = 0
const create = (fields: Partial<Parameters<typeof createOnce>[1]>) =>
  createOnce(
    temporary.store.database,
    { owner: "", scope: "job", key: undefined, bodySha256: "a", now: 1000, ...fields },
    () => ({ number: ++made }),
  )

describe("createOnce()", () => {
  test("answers the same key as the first time, whoever else uses it", () => {
    const first = create({ key: "k1" })
    expect(create({ key: "k1", now: 1000 + KEY_LIFETIME - 1 })).toEqual(first)
    expect(create({ key: "k1", scope: "file" })).not.toEqual(first)
    expect(create({ key: "k1", owner: "another" })).not.toEqual(first)
    expect(create({})).not.toEqual(create({}))
  })

  test("refuses another body with the same key, and keys that are none", () => {
    create({ key: "k2" })
    expect(() => create({ key: "k2", bodySha256: "b" })).toThrow("another body")
    for (const key of ["", "a b", "x".repeat(256), "ä", "a\n"]) expect(() => create({ key })).toThrow("Idempotency-Key")
  })

  test("forgets a key after 24 hours", () => {
    const first = create({ key: "k3" })
    expect(create({ key: "k3", bodySha256: "b", now: 1000 + KEY_LIFETIME })).not.toEqual(first)
  })

  test("remembers nothing of a creation that failed", () => {
    const { database } = temporary.store
    const creation = { owner: "", scope: "job", key: "k4", bodySha256: "a", now: 1000 }
    expect(() =>
      createOnce(database, creation, () => {
        throw new Error("no room")
      }),
    ).toThrow("no room")
    expect(createOnce(database, creation, () => "made")).toBe("made")
  })
})
