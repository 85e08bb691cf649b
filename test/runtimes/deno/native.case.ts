/**
 * @module The native engine on Deno, with what it needs besides reading: to load a library (`--allow-ffi`), to ask for the
 * system's cores and home (`--allow-sys`), and to lay the weights into the cache folder (`--allow-write`).
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { openEngine } from "../../../src/presets/open-engine.ts"
import { grantedOf } from "./permissions.ts"

test("neither the network nor other programs are allowed", async () => {
  assert.deepEqual(await grantedOf(["ffi", "net", "run"]), ["ffi"])
})

test("the native engine answers", async () => {
  const base = fileURLToPath(new URL("../../../models/sprig", import.meta.url))
  const engine = await openEngine({ base, backend: "native", threads: 1 })
  assert.match(engine.info.backend, /^native/)
  const { events } = await engine.generate({ prompts: [{ text: "Mira bought 3" }], adapter: null, maxTokens: 4 })
  const kinds: string[] = []
  for await (const event of events) kinds.push(event.type)
  assert.equal(kinds.at(-1), "finish")
  await engine.close()
})
