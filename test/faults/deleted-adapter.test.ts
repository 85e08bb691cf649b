/**
 * @module Adapters that are unloaded while they answer: who was being answered is answered to the end by the same version, who
 * comes after finds nothing, and the memory is free.
 */
import { expect, test } from "bun:test"
import { createFakeApp, readEvents } from "../support/fake-app.ts"
import { times } from "../support/times.ts"

const deletes = times(1000)
const TOGETHER = 8
const VERSIONS = 5
const request = (model: string) => ({ model, prompt: "same", max_tokens: 40, temperature: 0, stream: true })

test(`${deletes} adapters are unloaded in the middle of an answer`, async () => {
  const app = await createFakeApp({ scheduler: { maxActive: 16, maxWaiting: 64 } })
  const text = async (response: Response): Promise<string> =>
    (await readEvents(response))
      .map((event) => (event === "[DONE]" ? "." : (JSON.parse(event).choices[0]?.text ?? "")))
      .join("")
  /** What each version says alone. */
  const golden: string[] = []
  for (let i = 0; i < VERSIONS; i++) {
    await app.post("/v1/adapters", { name: "alone", path: `version-${i}`, replace: true })
    golden.push(await text(await app.post("/v1/completions", request("alone"))))
  }
  await app.send("/v1/adapters/alone", { method: "DELETE" })
  expect(new Set(golden).size).toBe(VERSIONS)
  let done = 0
  /** A name's life, again and again; each time it means another version. */
  const life = async (name: string): Promise<void> => {
    while (done < deletes) {
      const version = done++ % VERSIONS
      await app.post("/v1/adapters", { name, path: `version-${version}` })
      const answers = [
        await app.post("/v1/completions", request(name)),
        await app.post("/v1/completions", request(name)),
      ]
      expect((await app.send(`/v1/adapters/${name}`, { method: "DELETE" })).status).toBe(200)
      expect((await app.post("/v1/completions", request(name))).status).toBe(404)
      for (const answer of answers) expect(await text(answer)).toBe(golden[version]!)
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, (_, i) => life(`name-${i}`)))
  expect(app.decoder.books).toMatchObject({ sequences: 0, adapters: 0 })
  expect(await app.engine.list()).toEqual([])
}, 300_000)
