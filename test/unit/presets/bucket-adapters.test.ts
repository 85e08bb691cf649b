/**
 * @module An engine that follows the adapters of a bucket.
 */
import { expect, test } from "bun:test"
import { decodeUtf8, encodeUtf8 } from "../../../src/core/bytes.ts"
import { EspalierError } from "../../../src/core/errors.ts"
import { bucketEngine } from "../../../src/presets/bucket-adapters.ts"
import type { AdapterSource, EngineApi, GenerateRequest } from "../../../src/serve/engine-api.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { createFakeEngine, greedyText } from "../../support/fake-engine.ts"
import { memoryBucket } from "../../support/memory-bucket.ts"

/** An engine that notes what is loaded into it and what is asked of it. */
function noted() {
  const loaded = new Set<string>()
  const log: string[] = []
  const engine = {
    info: { base: "base" },
    async load(name: string, source: AdapterSource) {
      log.push(`load ${name} from ${"path" in source ? source.path : "memory"}`)
      loaded.add(name)
    },
    async unload(name: string) {
      log.push(`unload ${name}`)
      if (!loaded.delete(name)) throw new EspalierError("not_found", name)
    },
    async generate({ adapter }: GenerateRequest) {
      log.push(`generate ${adapter}`)
    },
    async embed({ adapter }: { readonly adapter: string | null }) {
      log.push(`embed ${adapter}`)
    },
  } as unknown as EngineApi
  return { engine, log }
}

const files = () =>
  new Map([
    ["adapter_config.json", encodeUtf8("{}")],
    ["adapter_model.safetensors", encodeUtf8("weights")],
  ])
const ask = (engine: EngineApi, adapter: string | null) => engine.generate({ prompts: [], adapter })

function scene(trustMs: number) {
  const { engine, log } = noted()
  const store = memoryBucket()
  let time = 0
  const followed = bucketEngine(engine, { bucket: store.bucket, prefix: "adapters/", trustMs, now: () => time })
  return {
    ...{ engine: followed, log, store },
    pass(ms: number) {
      time += ms
    },
  }
}

test("an adapter is loaded when it is first asked for, once for many requests, and anew when its weights change", async () => {
  const { engine, log, store, pass } = scene(100)
  await engine.publish("a", files())
  await Promise.all([ask(engine, "a"), ask(engine, "a"), ask(engine, null)])
  expect(log.filter((line) => line.startsWith("load"))).toEqual(["load a from a"])
  await store.bucket.put("adapters/a/adapter_model.safetensors", encodeUtf8("others"))
  await ask(engine, "a")
  expect(log.filter((line) => line.startsWith("load"))).toHaveLength(1)
  pass(100)
  await engine.embed({ inputs: [], adapter: "a" })
  expect(log.slice(-2)).toEqual(["load a from a", "embed a"])
})

test("the bucket is asked once for as long as its answer is trusted", async () => {
  const { engine, store, pass } = scene(100)
  await engine.publish("a", files())
  await ask(engine, "a")
  const asked = store.asked.length
  pass(99)
  await ask(engine, "a")
  expect(store.asked).toHaveLength(asked)
  pass(1)
  await ask(engine, "a")
  expect(store.asked.length).toBeGreaterThan(asked)
})

test("what is published here is served at once", async () => {
  const { engine, log } = scene(1e9)
  await engine.publish("a", files())
  await ask(engine, "a")
  await engine.publish("a", files())
  await ask(engine, "a")
  expect(log.filter((line) => line.startsWith("load"))).toHaveLength(2)
})

test("what is deleted in the bucket is unloaded, and what never lay there is the engine's to refuse", async () => {
  const { engine, log, store } = scene(0)
  await engine.publish("a", files())
  await ask(engine, "a")
  store.delete("adapters/a/adapter_config.json")
  await ask(engine, "a")
  await ask(engine, "nobody")
  await ask(engine, "../a")
  expect(log).toEqual(["load a from a", "generate a", "unload a", "generate a", "generate nobody", "generate ../a"])
  expect(store.asked.some((line) => line.includes(".."))).toBe(false)
})

test("a merge loads each adapter that it names", async () => {
  const { engine, log } = scene(0)
  await engine.publish("a", files())
  await engine.publish("b", files())
  await ask(engine, "a*0.7+b*0.3")
  expect(log).toEqual(["load a from a", "load b from b", "generate a*0.7+b*0.3"])
})

test("names that no adapter may have, and files that are no adapter, are not published", async () => {
  const { engine, store } = scene(0)
  expect(engine.publish("base", files())).rejects.toThrow("the base's name")
  expect(engine.publish("a/b", files())).rejects.toThrow("Expected a name")
  expect(engine.publish("a", new Map())).rejects.toThrow("Expected adapter_config.json")
  expect(store.keys()).toEqual([])
})

test("more adapters than memory holds give way and come back, as the bucket has them by then", async () => {
  const store = memoryBucket()
  const weightsOf = (name: string): string => `adapters/${name}/adapter_model.safetensors`
  const { engine: local } = createFakeEngine({
    maxAdapters: 1,
    readAdapter: async (name) =>
      fakeAdapter(decodeUtf8(new Uint8Array(await (await store.bucket.get(weightsOf(name)))!.arrayBuffer()))),
  })
  const engine = bucketEngine(local, { bucket: store.bucket, prefix: "adapters/", trustMs: 1e9 })
  const publish = (name: string, weights: string): Promise<unknown> =>
    engine.publish(name, new Map([...files(), ["adapter_model.safetensors", encodeUtf8(weights)]]))
  for (const name of ["a", "b", "c"]) await publish(name, name)
  const said = await Promise.all(["a", "b", "c", "a"].map((name) => greedyText(engine, "hello", name)))
  expect([new Set(said).size, said[3]]).toEqual([3, said[0]!])
  expect((await engine.list()).map(({ resident }) => resident).sort()).toEqual([false, false, true])
  const away = (await engine.list()).find(({ resident }) => !resident)!.name
  await store.bucket.put(weightsOf(away), encodeUtf8("another"))
  const { adapter } = await engine.generate({ prompts: [{ text: "x" }], adapter: away, maxTokens: 1 })
  expect(adapter!.hash).toBe(fakeAdapter("another").hash)
})
