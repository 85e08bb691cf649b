import { describe, expect, test } from "bun:test"
import { meteredEngine } from "../../../src/service/metrics/metered-engine.ts"
import { Counter, exposition, gauge, Histogram } from "../../../src/service/metrics/registry.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { collect, createFakeEngine } from "../../support/fake-engine.ts"

/** The value of one series in a scrape. */
const seriesValue = (text: string, series: string): number => {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `))
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
}

describe("the registry", () => {
  test("writes counters, gauges and histograms as Prometheus reads them", () => {
    const asked = new Counter("asked_total", "Asked.")
    asked.add({ model: 'a"b\\c\n' })
    asked.add({ model: "x" }, 2.5)
    asked.add({ model: "x" })
    const seconds = new Histogram("seconds", "Took.", [0.1, 1])
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe({}, value)
    expect(exposition([asked, gauge("now", "Now.", 3), seconds])).toBe(`# HELP asked_total Asked.
# TYPE asked_total counter
asked_total{model="a\\"b\\\\c\\n"} 1
asked_total{model="x"} 3.5
# HELP now Now.
# TYPE now gauge
now 3
# HELP seconds Took.
# TYPE seconds histogram
seconds_bucket{le="0.1"} 2
seconds_bucket{le="1"} 3
seconds_bucket{le="+Inf"} 4
seconds_sum 7.65
seconds_count 4
`)
  })

  test("holds a bounded number of series, whatever labels come", () => {
    const counter = new Counter("c", "C.")
    for (let i = 0; i < 5000; i++) counter.add({ model: `name-${i}` })
    const lines = counter.lines().filter((line) => !line.startsWith("#"))
    expect(lines.length).toBe(1001)
    expect(lines.at(-1)).toBe('c{model="other"} 4000')
  })
})

describe("meteredEngine()", () => {
  /** A clock that moves a second whenever it is looked at. */
  const ticking = () => {
    let now = 0
    return () => (now += 1000)
  }

  test("counts requests and tokens by model, and times first and next tokens", async () => {
    const { engine: inner } = createFakeEngine()
    const { engine, scrape } = meteredEngine(inner, ticking())
    await engine.load("one", { adapter: fakeAdapter("one") })
    for (const adapter of [null, "one", "one"]) {
      const { events } = await engine.generate({ prompts: [{ text: "abc" }], adapter, maxTokens: 5, ignoreEos: true })
      await collect(events)
    }
    const text = await scrape()
    expect(seriesValue(text, 'espalier_requests_total{model="base",outcome="ok"}')).toBe(1)
    expect(seriesValue(text, 'espalier_requests_total{model="one",outcome="ok"}')).toBe(2)
    expect(seriesValue(text, 'espalier_prompt_tokens_total{model="one"}')).toBe(6)
    expect(seriesValue(text, 'espalier_completion_tokens_total{model="one"}')).toBe(10)
    expect(seriesValue(text, 'espalier_time_to_first_token_seconds_count{model="one"}')).toBe(2)
    expect(seriesValue(text, 'espalier_inter_token_seconds_count{model="one"}')).toBe(8)
    expect(seriesValue(text, 'espalier_inter_token_seconds_sum{model="one"}')).toBe(8)
    expect(seriesValue(text, 'espalier_adapter_load_seconds_count{model="one",by="load"}')).toBe(1)
    expect(seriesValue(text, "espalier_adapters")).toBe(1)
    expect(seriesValue(text, "espalier_generations_active")).toBe(0)
  })

  test("tells by model who is at it, how long a place was waited for, and what each swap took", async () => {
    const { engine: inner } = createFakeEngine({ scheduler: { maxActive: 1 } })
    const { engine, scrape } = meteredEngine(inner)
    await engine.load("one", { adapter: fakeAdapter("one") })
    await engine.load("one", { adapter: fakeAdapter("two") }, { replace: true })
    await engine.rollback("one")
    const ask = () => engine.generate({ prompts: [{ text: "abc" }], adapter: "one", maxTokens: 20, ignoreEos: true })
    const [first, second] = await Promise.all([ask(), ask()])
    const [left, read] = [first.events[Symbol.asyncIterator](), second.events[Symbol.asyncIterator]()]
    await left.next()
    const waits = read.next()
    expect(seriesValue(await scrape(), 'espalier_requests_in_flight{model="one"}')).toBe(2)
    for (let next = await left.next(); !next.done; ) next = await left.next()
    await waits
    for (let next = await read.next(); !next.done; ) next = await read.next()
    const text = await scrape()
    expect(text).not.toContain("espalier_requests_in_flight{")
    expect(seriesValue(text, 'espalier_queue_seconds_count{model="one"}')).toBe(2)
    expect(seriesValue(text, 'espalier_queue_seconds_sum{model="one"}')).toBeGreaterThan(0)
    for (const by of ["load", "replace", "rollback"])
      expect(seriesValue(text, `espalier_adapter_load_seconds_count{model="one",by="${by}"}`)).toBe(1)
  })

  test("counts what was refused, what failed and what was left early, under names that it knows", async () => {
    const { engine: inner } = createFakeEngine({
      beforeAppend(_added, { tokens }) {
        if (tokens[0] === 33 && tokens.length > 2) throw new Error("broken")
      },
    })
    const { engine, scrape } = meteredEngine(inner)
    const ask = (text: string, adapter: string | null) =>
      engine.generate({ prompts: [{ text }], adapter, maxTokens: 50, ignoreEos: true })
    expect(ask("a", "nobody").then((found) => found.events)).rejects.toThrow("nobody")
    const failing = await ask("!", null)
    expect(collect(failing.events)).rejects.toThrow()
    const left = await ask("abc", null)
    for await (const event of left.events) if (event.type === "text-delta") break
    expect(engine.embed({ inputs: [{ ids: [1_000_000] }], adapter: null })).rejects.toThrow("Expected token ids")
    await Bun.sleep(20)
    const text = await scrape()
    expect(seriesValue(text, 'espalier_requests_total{model="unknown",outcome="not_found"}')).toBe(1)
    expect(seriesValue(text, 'espalier_requests_total{model="base",outcome="internal"}')).toBe(1)
    expect(seriesValue(text, 'espalier_requests_total{model="base",outcome="aborted"}')).toBe(1)
    expect(seriesValue(text, 'espalier_requests_total{model="base",outcome="invalid_request"}')).toBe(1)
    expect(text).not.toContain("nobody")
  })
})
