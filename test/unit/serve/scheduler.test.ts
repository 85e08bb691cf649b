/**
 * @module The scheduler over a decoder that refuses overlapping calls and counts what is open.
 */
import { describe, expect, test } from "bun:test"
import { EspalierError } from "../../../src/core/errors.ts"
import type { GenerationEvent, GenerationRequest } from "../../../src/serve/generation.ts"
import { defaultSampling } from "../../../src/serve/sampling.ts"
import { createScheduler, type Scheduler, type SchedulerOptions } from "../../../src/serve/scheduler.ts"
import { createFakeDecoder, type FakeDecoderOptions } from "../../support/fake-decoder.ts"
import { fakeEos, fakeTokenizer } from "../../support/fake-tokenizer.ts"

const greedy = { ...defaultSampling, temperature: 0 }

const request = (prompt: string, more: Partial<GenerationRequest> = {}): GenerationRequest => ({
  promptIds: fakeTokenizer.encode(prompt),
  adapter: null,
  sampling: greedy,
  maxTokens: 12,
  stop: [],
  eosIds: [fakeEos],
  logprobs: null,
  ...more,
})

function setUp(decoderOptions: FakeDecoderOptions = {}, options: SchedulerOptions = {}) {
  const decoder = createFakeDecoder(decoderOptions)
  return { decoder, scheduler: createScheduler(decoder, fakeTokenizer, options) }
}

async function read(events: AsyncIterable<GenerationEvent>): Promise<{ text: string; events: GenerationEvent[] }> {
  const all: GenerationEvent[] = []
  for await (const event of events) all.push(event)
  return { text: all.map((event) => (event.type === "text-delta" ? event.text : "")).join(""), events: all }
}

const submitOne = (scheduler: Scheduler, one: GenerationRequest) => scheduler.submit([one])[0]!

/** Spells out `text`, then ends. */
const spell = (text: string) => (tokens: readonly number[]) => {
  const place = tokens.lastIndexOf(62) // ">"
  return fakeTokenizer.encode(text)[tokens.length - 1 - place] ?? fakeEos
}

describe("scheduler", () => {
  test("gives each of many simultaneous requests the text that it gets alone", async () => {
    const prompts = Array.from({ length: 12 }, (_, i) => `prompt number ${i * i}`)
    const { scheduler, decoder } = setUp({}, { maxActive: 5 })
    const alone: string[] = []
    for (const prompt of prompts) alone.push((await read(submitOne(scheduler, request(prompt)))).text)
    const together = await Promise.all(scheduler.submit(prompts.map((prompt) => request(prompt))).map(read))
    expect(together.map(({ text }) => text)).toEqual(alone)
    expect(new Set(alone).size).toBe(prompts.length)
    expect(decoder.books.sequences).toBe(0)
    expect(scheduler.stats()).toMatchObject({ active: 0, waiting: 0, finished: 24, aborted: 0, failed: 0 })
  })

  test("reads prompts in turns, up to a budget of them all, and steps what has been read together", async () => {
    const order: string[] = []
    const { scheduler } = setUp(
      { beforeAppend: (added, { tokens }) => void order.push(`${String.fromCharCode(tokens[0]!)}${added.length}`) },
      { prefillChunk: 4, maxActive: 2 },
    )
    const long = request("LLLLLLLLLL", { maxTokens: 2, eosIds: [] })
    const short = request("s", { maxTokens: 4, eosIds: [] })
    await Promise.all(scheduler.submit([long, short]).map(read))
    expect(order).toEqual(["L4", "s1", "L3", "s1", "L3", "s1", "L1", "s1"])
  })

  test("ends at the token limit, at an end token and at a stop text, and counts tokens", async () => {
    const { scheduler } = setUp({ next: spell("one two three") })
    const finish = async (more: Partial<GenerationRequest>) => {
      const { text, events } = await read(submitOne(scheduler, request("say>", more)))
      return [text, events.at(-1)]
    }
    const waitedMs = expect.any(Number)
    expect(await finish({ maxTokens: 5 })).toEqual([
      "one t",
      { type: "finish", reason: "length", usage: { promptTokens: 4, cachedTokens: 0, completionTokens: 5 }, waitedMs },
    ])
    expect(await finish({ maxTokens: 100 })).toEqual([
      "one two three",
      { type: "finish", reason: "stop", usage: { promptTokens: 4, cachedTokens: 0, completionTokens: 14 }, waitedMs },
    ])
    expect(await finish({ maxTokens: 100, stop: ["zzz", "two"] })).toEqual([
      "one ",
      { type: "finish", reason: "stop", usage: { promptTokens: 4, cachedTokens: 0, completionTokens: 7 }, waitedMs },
    ])
  })

  test("shows nothing that may become a stop text, and shows it when it did not", async () => {
    const { scheduler } = setUp({ next: spell("a STOX b") })
    const { text, events } = await read(submitOne(scheduler, request(">", { maxTokens: 20, stop: ["STOP"] })))
    expect(text).toBe("a STOX b")
    expect(events.flatMap((event) => (event.type === "text-delta" ? [event.text] : []))).toContain("STOX")
  })

  test("never shows half a character", async () => {
    const { scheduler } = setUp({ next: spell("é€😀!") })
    const { text, events } = await read(submitOne(scheduler, request(">", { maxTokens: 20 })))
    expect(text).toBe("é€😀!")
    const deltas = events.flatMap((event) => (event.type === "text-delta" && event.text !== "" ? [event.text] : []))
    expect(deltas).toEqual(["é", "€", "😀", "!"])
  })

  test("gives each token its logprob, its likeliest rivals and its offset", async () => {
    const { scheduler } = setUp({ next: spell("ab") })
    const { events } = await read(submitOne(scheduler, request(">", { logprobs: 2 })))
    const tokens = events.flatMap((event) => (event.type === "text-delta" ? event.tokens : []))
    // One logit of 10 against 257 of -30.
    const likely = -Math.log(1 + 257 * Math.exp(-40))
    expect(tokens.map(({ text, offset }) => [text, offset])).toEqual([
      ["a", 0],
      ["b", 1],
    ])
    expect(tokens[0]!.logprob).toBeCloseTo(likely, 12)
    expect(tokens[0]!.top.map(({ text }) => text)).toEqual(["a", "\0"])
    expect(tokens[0]!.top[1]!.logprob).toBeCloseTo(likely - 40, 5)
  })

  test("leaves out the tokens of a stop text, and keeps those before it", async () => {
    const { scheduler } = setUp({ next: spell("ab END c") })
    const { events } = await read(submitOne(scheduler, request(">", { logprobs: 0, stop: ["END"], maxTokens: 20 })))
    const tokens = events.flatMap((event) => (event.type === "text-delta" ? event.tokens : []))
    expect(tokens.map(({ text }) => text).join("")).toBe("ab ")
  })

  test("echoes the prompt with the logprob of each of its tokens, however it is cut into chunks", async () => {
    const prompt = `${"x".repeat(40)}yz`
    const { scheduler, decoder } = setUp()
    const { events } = await read(submitOne(scheduler, request(prompt, { echo: true, logprobs: 1, maxTokens: 0 })))
    expect(events.map((event) => event.type)).toEqual(["prompt", "finish"])
    const [first] = events
    if (first?.type !== "prompt") throw new Error("Expected a prompt event")
    expect(first.text).toBe(prompt)
    expect(first.tokens.length).toBe(42)
    expect(first.tokens[0]!.logprob).toBeNull()
    // The reference reads the prompt in one piece.
    const sequence = await decoder.open(null, 64)
    const logits = await sequence.append(fakeTokenizer.encode(prompt), true)
    for (let i = 1; i < 42; i++) {
      const row = logits.subarray((i - 1) * 258, i * 258)
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0))
      expect(first.tokens[i]!.logprob!).toBeCloseTo(row[first.tokens[i]!.id]! - total, 6)
    }
    sequence.close()
  })

  test("fills the context when no limit is given, and no more", async () => {
    const { scheduler } = setUp({ contextLength: 10 })
    const { events } = await read(submitOne(scheduler, request("abcd", { maxTokens: null, eosIds: [] })))
    expect(events.at(-1)).toEqual({
      type: "finish",
      reason: "length",
      usage: { promptTokens: 4, cachedTokens: 0, completionTokens: 6 },
      waitedMs: expect.any(Number),
    })
  })
})

test("scheduler gives a request without a limit its default, within the context", async () => {
  const { scheduler } = setUp({ contextLength: 64 }, { defaultMaxTokens: 7 })
  const lengthOf = async (prompt: string): Promise<number> =>
    (await read(submitOne(scheduler, request(prompt, { maxTokens: null, eosIds: [] })))).text.length
  expect(await lengthOf("abcd")).toBe(7)
  expect(await lengthOf("a".repeat(60))).toBe(4)
})

describe("scheduler refuses", () => {
  const refusal = (run: () => unknown): EspalierError => {
    try {
      run()
    } catch (error) {
      if (error instanceof EspalierError) return error
    }
    throw new Error("Expected an EspalierError")
  }

  test("what does not fit the context, with its virtual tokens, before anything is opened", async () => {
    const { scheduler, decoder } = setUp({ contextLength: 20 })
    let released = 0
    const bound = { hash: "h", virtualTokens: 6, dispose: async () => {} }
    const adapter = { bound, release: () => void released++ }
    const error = refusal(() => scheduler.submit([request("abcdefgh", { adapter, maxTokens: 7 })]))
    expect(error.code).toBe("context_length_exceeded")
    expect(error.param).toBe("max_tokens")
    expect(error.message).toContain("holds 20 tokens but 21")
    expect(refusal(() => scheduler.submit([request("a".repeat(20), { maxTokens: 1 })])).param).toBe("prompt")
    expect(refusal(() => scheduler.submit([request("a".repeat(20), { maxTokens: null })])).param).toBe("prompt")
    expect(released).toBe(1)
    expect(decoder.books).toEqual({ sequences: 0, adapters: 0, appends: 0, steps: 0 })
    expect(scheduler.stats().waiting).toBe(0)
  })

  test("empty prompts and ids that the vocabulary does not have", () => {
    const { scheduler } = setUp()
    expect(refusal(() => scheduler.submit([request("")])).message).toContain("no tokens")
    expect(refusal(() => scheduler.submit([request("a", { promptIds: [1, 258] })])).message).toContain("found 258")
    const sampling = { ...greedy, logitBias: [[258, 1]] as const }
    expect(refusal(() => scheduler.submit([request("a", { sampling })])).param).toBe("logit_bias")
  })

  test("exactly those that find no place in the queue, and recovers", async () => {
    const { scheduler } = setUp({}, { maxActive: 2, maxWaiting: 3 })
    const accepted: AsyncIterable<GenerationEvent>[] = []
    const refused: EspalierError[] = []
    for (let i = 0; i < 9; i++) {
      try {
        accepted.push(...scheduler.submit([request(`p${i}`)]))
      } catch (error) {
        refused.push(error as EspalierError)
      }
    }
    expect([accepted.length, refused.length]).toEqual([5, 4])
    expect(new Set(refused.map((error) => error.code))).toEqual(new Set(["queue_full"]))
    await Promise.all(accepted.map(read))
    expect((await read(submitOne(scheduler, request("again", { eosIds: [] })))).text).toHaveLength(12)
  })

  test("with the time that the queue takes, from what generations took so far", async () => {
    let now = 0
    const { scheduler } = setUp(
      {
        beforeAppend() {
          now += 1000
        },
      },
      { maxActive: 1, maxWaiting: 2, clock: () => now },
    )
    const four = (text: string) => request(text, { maxTokens: 4, eosIds: [] })
    const refusedAfter = (): number | undefined => refusal(() => scheduler.submit([four("z")])).retryAfter
    const first = scheduler.submit([four("a"), four("b"), four("c")])
    expect(refusedAfter()).toBe(0)
    await Promise.all(first.map(read))
    const second = scheduler.submit([four("a"), four("b"), four("c")])
    // Four seconds each, of those that wait and of the one that was refused.
    const { waiting } = scheduler.stats()
    expect(waiting).toBeGreaterThan(1)
    expect(refusedAfter()).toBeCloseTo(4 * (waiting + 1), 6)
    await Promise.all(second.map(read))
  })

  test("a group as a whole", async () => {
    const { scheduler } = setUp({}, { maxActive: 1, maxWaiting: 2 })
    const [stream] = scheduler.submit([request("a")])
    expect(refusal(() => scheduler.submit([request("b"), request("c"), request("d")])).code).toBe("queue_full")
    const { active, waiting } = scheduler.stats()
    expect(active + waiting).toBe(1)
    expect(refusal(() => scheduler.submit(Array.from({ length: 4 }, () => request("b")))).code).toBe("invalid_request")
    await read(stream!)
  })
})

describe("what runs beside generations", () => {
  /** A job of so many turns of the event loop. */
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  /** Steps that were made until a job of 40 turns had ended, beside a generation of 200. */
  async function stepsMeanwhile(clock: () => number): Promise<number> {
    const { scheduler, decoder } = setUp({}, { clock })
    const stream = read(submitOne(scheduler, request("a", { maxTokens: 200, eosIds: [] })))
    await turns(5)
    const before = decoder.books.steps
    await scheduler.beside(() => turns(40))
    const steps = decoder.books.steps - before
    expect((await stream).text).toHaveLength(200)
    return steps
  }

  test("has many turns between two steps, where each is quick", async () => {
    expect(await stepsMeanwhile(() => 0)).toBeLessThanOrEqual(1)
  })

  test("has no more than its time between two steps", async () => {
    let now = 0
    const steps = await stepsMeanwhile(() => {
      now += 0.1
      return now
    })
    expect(steps).toBeGreaterThan(5)
    expect(steps).toBeLessThan(20)
  })

  test("has no time to itself any more when it takes long", async () => {
    let now = 0
    const steps = await stepsMeanwhile(() => {
      now += 200
      return now
    })
    expect(steps).toBeGreaterThan(35)
  })

  test("gives what it gives, and its time back when it fails", async () => {
    const { scheduler, decoder } = setUp({}, { clock: () => 0 })
    expect(await scheduler.beside(async () => 7)).toBe(7)
    await expect(scheduler.beside(() => Promise.reject(new TypeError("no")))).rejects.toThrow("no")
    await read(submitOne(scheduler, request("a", { maxTokens: 20, eosIds: [] })))
    expect(decoder.books.steps).toBeGreaterThan(10)
  })

  test("comes in between the prompts of one turn", async () => {
    const order: string[] = []
    const { scheduler } = setUp({ beforeAppend: (added) => void (added.length > 1 && order.push("prompt")) })
    const streams = scheduler.submit(Array.from({ length: 4 }, (_, i) => request(`prompt ${i}`, { maxTokens: 2 })))
    const job = scheduler.beside(async () => {
      await turns(2)
      order.push("job")
    })
    await Promise.all([...streams.map(read), job])
    expect(order.indexOf("job")).toBeLessThan(3)
  })
})

describe("scheduler gives back", () => {
  const failure = async (events: AsyncIterable<GenerationEvent>): Promise<EspalierError> => {
    try {
      await read(events)
    } catch (error) {
      return error as EspalierError
    }
    throw new Error("Expected the stream to fail")
  }

  test("an aborted request's sequence within two steps", async () => {
    const controller = new AbortController()
    let released = 0
    let after = 0
    const { scheduler, decoder } = setUp({
      beforeAppend(_added, { tokens }) {
        if (controller.signal.aborted) after++
        if (tokens.length === 9) controller.abort()
      },
    })
    const adapter = { bound: { hash: "h", virtualTokens: 0, dispose: async () => {} }, release: () => void released++ }
    const options = { maxTokens: 4000, eosIds: [], signal: controller.signal, adapter }
    expect((await failure(submitOne(scheduler, request("abc", options)))).code).toBe("aborted")
    expect(after).toBeLessThanOrEqual(2)
    expect(released).toBe(1)
    expect(decoder.books.sequences).toBe(0)
    expect(scheduler.stats()).toMatchObject({ active: 0, waiting: 0, aborted: 1 })
  })

  test("a waiting request's place at once", async () => {
    const controller = new AbortController()
    const { scheduler } = setUp({}, { maxActive: 1, maxWaiting: 1 })
    const first = submitOne(scheduler, request("a", { maxTokens: 200, eosIds: [] }))
    await Bun.sleep(0)
    const second = submitOne(scheduler, request("b", { signal: controller.signal }))
    controller.abort()
    const third = submitOne(scheduler, request("c"))
    expect((await failure(second)).code).toBe("aborted")
    await Promise.all([read(first), read(third)])
    expect(scheduler.stats()).toMatchObject({ finished: 2, aborted: 1 })
  })

  test("a request that was aborted before it came", async () => {
    const { scheduler } = setUp()
    const stream = submitOne(scheduler, request("a", { signal: AbortSignal.abort() }))
    expect((await failure(stream)).code).toBe("aborted")
    expect((await read(submitOne(scheduler, request("b", { eosIds: [] })))).text).toHaveLength(12)
  })

  test("what a reader leaves early", async () => {
    const { scheduler, decoder } = setUp()
    for await (const _ of submitOne(scheduler, request("abc", { maxTokens: 4000, eosIds: [] }))) break
    await read(submitOne(scheduler, request("b")))
    expect(scheduler.stats().active).toBe(0)
    expect(decoder.books.sequences).toBe(0)
    expect(scheduler.stats().aborted).toBe(1)
  })

  test("what fails, with one error, while the others go on", async () => {
    const { scheduler, decoder } = setUp({
      beforeAppend(_added, { tokens }) {
        if (tokens[0] === 33 && tokens.length === 4) throw new Error("secret detail")
      },
    })
    const [bad, good] = scheduler.submit([request("!"), request("fine")])
    const [error, result] = await Promise.all([failure(bad!), read(good!)])
    expect(error.code).toBe("internal")
    expect(error.message).not.toContain("secret")
    expect(result.text).not.toBe("")
    expect(decoder.books.sequences).toBe(0)
    expect(scheduler.stats()).toMatchObject({ finished: 1, failed: 1 })
  })

  test("everything when it closes, and accepts no more", async () => {
    const { scheduler, decoder } = setUp({}, { maxActive: 1 })
    const streams = scheduler.submit([request("a", { maxTokens: 4000, eosIds: [] }), request("b")])
    const ends = streams.map(failure)
    await scheduler.close()
    expect((await Promise.all(ends)).map((error) => error.code)).toEqual(["unavailable", "unavailable"])
    expect(decoder.books.sequences).toBe(0)
    expect(() => scheduler.submit([request("c")])).toThrow("shutting down")
  })
})
