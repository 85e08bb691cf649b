/**
 * @module Clients that leave while they are answered, at any token, from streams and from whole answers: the engine computes
 * at most two tokens more for each, and everything that they held is free again.
 */
import { afterAll, expect, test } from "bun:test"
import { sendRaw } from "../../scripts/torture/raw-http.ts"
import { rng } from "../../src/core/rng.ts"
import { serveBun } from "../../src/entry/http-bun.ts"
import { serveNode } from "../../src/entry/http-node.ts"
import { createFakeApp } from "../support/fake-app.ts"
import { times } from "../support/times.ts"

/** A third each without a network, over Bun's server and over `node:http`. */
const leavers = Math.ceil(times(600) / 3)
const TOGETHER = 8
const LONG = 3000
const closers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closers) await close()
})

/** A client as the engine's hook sees it, by its prompt. */
interface Client {
  readonly leaveAt: number
  leave: () => void
  /** Tokens that there were when it left, and when the last of them was computed. */
  leftAt: number | null
  seen: number
}

/** An app whose clients leave when so many tokens are there, and room for some of them at once. */
async function leaving(seed: string, pause: () => Promise<void> | void = () => {}) {
  const clients = new Map<string, Client>()
  const random = rng(1, seed)
  const app = await createFakeApp({
    scheduler: { maxActive: TOGETHER },
    async beforeAppend(_added, { tokens }) {
      await pause()
      const client = clients.get(String.fromCharCode(...tokens.slice(0, 8)))!
      client.seen = tokens.length
      if (client.leftAt !== null || tokens.length < client.leaveAt) return
      client.leftAt = tokens.length
      client.leave()
    },
  })
  const join = (i: number, leave: () => void) => {
    const prompt = String(i).padStart(8, "0")
    const client: Client = { leaveAt: 8 + random.below(40), leave, leftAt: null, seen: 0 }
    clients.set(prompt, client)
    return { client, body: { model: "base", prompt, max_tokens: LONG, stream: random.below(2) === 0 } }
  }
  /** Waits until nothing is answered any longer, and checks that nothing is held. */
  const expectFree = async (): Promise<void> => {
    const stats = () => app.engine.stats()
    while ((await stats()).active + (await stats()).waiting > 0) await Bun.sleep(1)
    expect((await stats()).aborted).toBe(leavers)
    expect(app.decoder.books.sequences).toBe(0)
    expect(app.reported).toEqual([])
  }
  return { app, clients, join, expectFree }
}

/** All of them, some at a time. */
async function all(one: (i: number) => Promise<void>): Promise<void> {
  for (let done = 0; done < leavers; done += TOGETHER)
    await Promise.all(Array.from({ length: Math.min(TOGETHER, leavers - done) }, (_, i) => one(done + i)))
}

test(`${leavers} clients leave: at most two tokens more are computed for each`, async () => {
  const { app, clients, join, expectFree } = await leaving("disconnect")
  await all(async (i) => {
    const controller = new AbortController()
    const { client, body } = join(i, () => controller.abort())
    const request = new Request("http://localhost/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: controller.signal,
    })
    const response = await app.fetch(request)
    if (!body.stream) return expect(response.status).toBe(499)
    // A client that leaves a stream is a reader that cancels it.
    const reader = response.body!.getReader()
    client.leave = () => void reader.cancel()
    if (client.leftAt !== null) client.leave()
    while (!(await reader.read()).done);
  })
  await expectFree()
  const more = [...clients.values()].map(({ seen, leftAt }) => seen - leftAt!)
  expect(Math.max(...more)).toBeLessThanOrEqual(2)
}, 300_000)

for (const [name, serve] of [
  ["Bun.serve", serveBun],
  ["node:http", serveNode],
] as const) {
  test(`${leavers} clients hang up on ${name}: nothing of theirs stays`, async () => {
    const { app, join, expectFree } = await leaving(name, () => Bun.sleep(0))
    const server = await serve(app.fetch, "127.0.0.1", 0)
    closers.push(() => server.kill())
    await all(async (i) => {
      const { client, body } = join(i, () => {})
      const { end } = await sendRaw({
        ...{ url: `http://127.0.0.1:${server.port}`, path: "/v1/completions", body },
        onOpen: (socket) => {
          client.leave = () => void socket.destroy()
        },
      })
      expect(end).toBe("broken")
    })
    await expectFree()
  }, 300_000)
}
