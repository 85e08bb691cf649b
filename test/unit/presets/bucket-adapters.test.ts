/**
 * @module An engine that follows the adapters of a bucket.
 */
import { expect, test } from "bun:test"
import { decodeUtf8, encodeUtf8 } from "../../../src/core/bytes.ts"
import { EspalierError } from "../../../src/core/errors.ts"
import { bucketAdapter, bucketEngine } from "../../../src/presets/bucket-adapters.ts"
import type { AdapterSource, EngineApi, GenerateRequest } from "../../../src/serve/engine-api.ts"
import type { Bucket } from "../../../src/store/bucket-folder.ts"
import { publishFolder } from "../../../src/store/published-folder.ts"
import { fakeAdapter } from "../../support/fake-decoder.ts"
import { createFakeEngine, greedyText } from "../../support/fake-engine.ts"
import { memoryBucket } from "../../support/memory-bucket.ts"

/** An engine that notes what is loaded into it and what is asked of it. */
function noted() {
  const loaded = new Set<string>()
  const log: string[] = []
  const broken = new Set<string>()
  const engine = {
    info: { base: "base" },
    async load(name: string, source: AdapterSource) {
      log.push(`load ${name} from ${"path" in source ? source.path : "memory"}`)
      if (broken.has(name)) throw new EspalierError("invalid_file", name)
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
  return { engine, log, broken }
}

const files = () =>
  new Map([
    ["adapter_config.json", encodeUtf8("{}")],
    ["adapter_model.safetensors", encodeUtf8("weights")],
  ])
/** Puts an adapter as people do, a file after the other. */
async function putByHand(bucket: Bucket, name: string, weights = "weights"): Promise<void> {
  await bucket.put(`adapters/${name}/adapter_model.safetensors`, encodeUtf8(weights))
  await bucket.put(`adapters/${name}/adapter_config.json`, encodeUtf8("{}"))
}
const ask = (engine: EngineApi, adapter: string | null) => engine.generate({ prompts: [], adapter })

function scene(trustMs: number) {
  const { engine, log, broken } = noted()
  const store = memoryBucket()
  let time = 0
  const followed = bucketEngine(engine, {
    ...{ bucket: store.bucket, trustMs, now: () => time },
    onStale: (name, error) => log.push(`stale ${name}: ${(error as Error).message}`),
  })
  return {
    ...{ engine: followed, log, store, broken },
    pass(ms: number) {
      time += ms
    },
  }
}

test("an adapter is loaded when it is first asked for, once for many requests, and anew when its weights change", async () => {
  const { engine, log, store, pass } = scene(100)
  await putByHand(store.bucket, "a")
  await Promise.all([ask(engine, "a"), ask(engine, "a"), ask(engine, null)])
  expect(log.filter((line) => line.startsWith("load"))).toEqual(["load a from a"])
  await store.bucket.put("adapters/a/adapter_model.safetensors", encodeUtf8("others"))
  await ask(engine, "a")
  expect(log.filter((line) => line.startsWith("load"))).toHaveLength(1)
  pass(100)
  await engine.embed({ inputs: [], adapter: "a" })
  expect(log.slice(-2)).toEqual(["load a from a", "embed a"])
})

test("nobody waits for another adapter to be loaded", async () => {
  const { engine } = createFakeEngine({
    readAdapter: async (name) => (name === "slow" ? new Promise(() => {}) : fakeAdapter(name)),
  })
  const { bucket } = memoryBucket()
  const followed = bucketEngine(engine, { bucket, trustMs: 0 })
  await followed.publish("slow", files())
  await followed.publish("quick", files())
  void greedyText(followed, "hello", "slow", 4)
  expect(await greedyText(followed, "hello", "quick", 4)).toHaveLength(4)
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
  await putByHand(store.bucket, "a")
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
  const { engine: local } = createFakeEngine({
    maxAdapters: 1,
    readAdapter: async (name) =>
      fakeAdapter(decodeUtf8(await (await bucketAdapter(store.bucket, name)).read("adapter_model.safetensors"))),
  })
  const engine = bucketEngine(local, { bucket: store.bucket, trustMs: 1e9 })
  const filesOf = (weights: string) => files().set("adapter_model.safetensors", encodeUtf8(weights))
  for (const name of ["a", "b", "c"]) await engine.publish(name, filesOf(name))
  const said = await Promise.all(["a", "b", "c", "a"].map((name) => greedyText(engine, "hello", name)))
  expect([new Set(said).size, said[3]]).toEqual([3, said[0]!])
  expect((await engine.list()).map(({ resident }) => resident).sort()).toEqual([false, false, true])
  const away = (await engine.list()).find(({ resident }) => !resident)!.name
  await publishFolder(store.bucket, "", away, filesOf("another"))
  const { adapter } = await engine.generate({ prompts: [{ text: "x" }], adapter: away, maxTokens: 1 })
  expect(adapter!.hash).toBe(fakeAdapter("another").hash)
})

test("of what was published and what was put there by hand, the later one counts", async () => {
  const { engine, store } = scene(0)
  const weights = async () =>
    new TextDecoder().decode(await (await bucketAdapter(store.bucket, "a")).read("adapter_model.safetensors"))
  await putByHand(store.bucket, "a", "by hand")
  expect(await weights()).toBe("by hand")
  await engine.publish("a", files())
  expect(await weights()).toBe("weights")
  await putByHand(store.bucket, "a", "by hand again")
  expect(await weights()).toBe("by hand again")
  store.delete("adapters/a/adapter_config.json")
  expect(await weights()).toBe("weights")
})

test("an adapter answers on while its new version can't be read, or the bucket can't be asked; one that is new is refused", async () => {
  const { engine, log, store, broken } = scene(0)
  await engine.publish("a", files())
  await ask(engine, "a")
  broken.add("a")
  await engine.publish("a", files())
  await ask(engine, "a")
  expect(log.splice(0)).toEqual(["load a from a", "generate a", "load a from a", "stale a: a", "generate a"])
  broken.clear()
  await ask(engine, "a")
  expect(log.splice(0)).toEqual(["load a from a", "generate a"])
  const { head } = store.bucket
  store.bucket.head = () => Promise.reject(new Error("away"))
  await ask(engine, "a")
  expect(log.splice(0)).toEqual(["stale a: The bucket could not be asked for adapters", "generate a"])
  expect(ask(engine, "b")).rejects.toMatchObject({ code: "unavailable" })
  store.bucket.head = head
})

test("a bucket that takes no more leaves what it had, and is told", async () => {
  const { engine, store } = scene(0)
  await engine.publish("a", files())
  const { put } = store.bucket
  for (const key of ["blobs/", "adapters/"]) {
    store.bucket.put = async (at, ...rest) => {
      if (at.startsWith(key)) throw new Error("full")
      return put(at, ...rest)
    }
    const next = files().set("adapter_model.safetensors", encodeUtf8(`more for ${key}`))
    await expect(engine.publish("a", next)).rejects.toMatchObject({ code: "unavailable" })
    const kept = await bucketAdapter(store.bucket, "a")
    expect(await kept.read("adapter_model.safetensors")).toEqual(encodeUtf8("weights"))
  }
})
