import { describe, expect, test } from "bun:test"
import { eventStream } from "../../../routes/event-stream.ts"

const silent = { headers: {}, keepAliveMs: 60_000, onCancel: () => {}, onError: () => {} }

describe("eventStream()", () => {
  test("ends what it streams when the client leaves between two chunks: who counts requests hears of it", async () => {
    let ended = false
    async function* chunks() {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        ended = true
      }
    }
    const reader = eventStream(chunks(), silent).body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: 0\n\n")
    await reader.cancel()
    await Bun.sleep(0)
    expect(ended).toBe(true)
  })
})
