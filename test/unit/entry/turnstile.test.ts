/**
 * @module Requests that come all at once get in one by one, and whoever asks how the server is gets in at once.
 */
import { expect, test } from "bun:test"
import { turnstile } from "../../../src/entry/turnstile.ts"

const ask = (path: string): Request => new Request(`http://localhost${path}`)

test("lets one in at a turn, in order, and /health past those who wait", async () => {
  const entered: string[] = []
  const turns: (() => void)[] = []
  const breathe = (): Promise<void> => new Promise((resolve) => turns.push(resolve))
  const turn = async (): Promise<void> => {
    turns.shift()!()
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  const fetch = turnstile((request) => {
    entered.push(new URL(request.url).pathname)
    return new Response(new URL(request.url).pathname)
  }, breathe)
  const answers = ["/a", "/b", "/c", "/health", "/health/live"].map(async (path) => (await fetch(ask(path))).text())
  expect(entered).toEqual(["/a", "/health", "/health/live"])
  await turn()
  expect(entered.slice(3)).toEqual(["/b"])
  await turn()
  expect(entered.slice(4)).toEqual(["/c"])
  expect(await Promise.all(answers)).toEqual(["/a", "/b", "/c", "/health", "/health/live"])
  // Nobody waits any more: after one turn the next one goes straight in.
  await turn()
  expect(turns).toEqual([])
  void fetch(ask("/d"))
  expect(entered.at(-1)).toBe("/d")
})

test("lets the others in after one that fails", async () => {
  const fetch = turnstile((request) => {
    if (request.url.endsWith("/bad")) throw new Error("broken")
    return new Response("fine")
  })
  const first = fetch(ask("/a"))
  const bad = Promise.resolve(fetch(ask("/bad")))
  const last = fetch(ask("/b"))
  await expect(bad).rejects.toThrow("broken")
  expect(await (await last).text()).toBe("fine")
  await first
})
