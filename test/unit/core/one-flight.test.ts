/**
 * @module One job at a time for each key.
 */
import { expect, test } from "bun:test"
import { createOneFlight } from "../../../src/core/one-flight.ts"

test("whoever asks for what is under way gets what it gives; another key, or a later asker, a job of its own", async () => {
  const flight = createOneFlight<string>()
  let jobs = 0
  const job = async (): Promise<string> => {
    const mine = ++jobs
    await Promise.resolve()
    return `job ${mine}`
  }
  expect(await Promise.all([flight("a", job), flight("a", job), flight("b", job)])).toEqual(["job 1", "job 1", "job 2"])
  expect(await flight("a", job)).toBe("job 3")
})

test("a job that fails fails for all who wait, and is not kept", async () => {
  const flight = createOneFlight<string>()
  const fails = (): Promise<string> => Promise.reject(new Error("no"))
  const asked = await Promise.allSettled([flight("a", fails), flight("a", fails)])
  expect(asked.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  expect(await flight("a", async () => "yes")).toBe("yes")
})
