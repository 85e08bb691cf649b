/**
 * @module A real process that serves and is told to stop.
 */
import { describe, expect, test } from "bun:test"

async function start(...options: readonly string[]) {
  const program = new URL("../../support/fake-server.ts", import.meta.url).pathname
  const child = Bun.spawn([process.execPath, program, ...options], { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  let output = ""
  const line = async (): Promise<string> => {
    while (!output.includes("\n")) {
      const { done, value } = await reader.read()
      if (done) break
      output += value
    }
    const [first = "", ...rest] = output.split("\n")
    output = rest.join("\n")
    return first
  }
  const url = await line()
  const ask = (max_tokens: number): Promise<Response> =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "base", prompt: "x", max_tokens, stream: true }),
    })
  /** What a connection of its own is answered. */
  const status = async (path: string): Promise<number> =>
    (await fetch(`${url}${path}`, { headers: { connection: "close" } })).status
  const go = (): void => {
    child.stdin.write("go\n")
    child.stdin.flush()
  }
  return { child, line, ask, status, go }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  describe(signal, () => {
    test("lets a stream in flight reach its end, then ends with 0", async () => {
      const { child, line, ask } = await start()
      const response = await ask(60)
      child.kill(signal)
      expect(await line()).toBe(signal)
      const text = await response.text()
      expect(text).toEndWith("data: [DONE]\n\n")
      expect(text.split("data: ").length - 1).toBe(62)
      expect(await line()).toBe("closed")
      expect(await child.exited).toBe(0)
    })

    test("ends at once when it comes again", async () => {
      const { child, line, ask } = await start()
      await ask(4000)
      child.kill(signal)
      expect(await line()).toBe(signal)
      child.kill(signal)
      expect(await child.exited).toBe(signal === "SIGINT" ? 130 : 143)
    })
  })
}

test("new connections learn that it is not ready, before it has loaded and after it was told to end", async () => {
  const { child, line, status, go } = await start("--step")
  const all = async (): Promise<number[]> =>
    Promise.all(["/health/live", "/health/ready", "/health", "/v1/models"].map(status))
  expect(await all()).toEqual([200, 503, 503, 503])
  go()
  expect(await line()).toBe("loaded")
  expect(await all()).toEqual([200, 200, 200, 200])
  child.kill("SIGTERM")
  expect(await line()).toBe("SIGTERM")
  // Requests that were sent here before word went round are answered.
  expect(await all()).toEqual([200, 503, 503, 200])
  go()
  expect(await line()).toBe("closed")
  child.stdin.end()
  expect(await child.exited).toBe(0)
})
