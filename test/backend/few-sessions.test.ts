/**
 * @module A decoder of one session: embeddings of an adapter's own, of tokens and of virtual ones, go through it as well, bit by bit
 * as through a session of their own.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rng } from "../../src/core/rng.ts"
import { f32 } from "../../src/core/tensor.ts"
import type { Form, LoadedAdapter } from "../../src/forms/form.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { openRuntime } from "../../src/presets/open-runtime.ts"
import type { Runtime } from "../../src/runtime/runtime.ts"
import { graphDecoder } from "../../src/serve/graph-decoder.ts"
import { writeTinyBase } from "../support/tiny-base.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-few-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeTinyBase(folder, 1)
const { base } = await openBase(folder, { cacheFolder: null })
const { hiddenSize } = base.config
const random = rng(3, "few sessions")
const drawn = (rows: number) =>
  f32(
    [rows, hiddenSize],
    Float32Array.from({ length: rows * hiddenSize }, () => random.normal()),
  )
const adapter = (hash: string, forms: readonly Form[]): LoadedAdapter => ({ hash, method: "m", sizeBytes: 0, forms })
const soft = adapter("soft", [{ form: "prompt", embeddings: drawn(3) }])
const words = adapter("words", [{ form: "table", side: "input", ids: [5, 9], rows: drawn(2) }])

/** Counts the sessions that are open, and the most that ever were. */
function counted(runtime: Runtime) {
  const sessions = { open: 0, most: 0 }
  const counting: Runtime = {
    ...runtime,
    async createSession(spec) {
      const session = await runtime.createSession(spec)
      sessions.most = Math.max(sessions.most, ++sessions.open)
      return {
        ...session,
        async dispose() {
          sessions.open--
          await session.dispose()
        },
      }
    },
  }
  return { counting, sessions }
}

for (const backend of ["native", "wasm"] as const)
  test(`virtual tokens and tokens of an adapter's own go through the one session, on ${backend}`, async () => {
    const { runtime } = await openRuntime(backend, { threads: 1 })
    const { counting, sessions } = counted(runtime)
    let asked = 0
    const makeRoom = async () => void asked++
    const one = await graphDecoder({ runtime: counting, base, fewSessions: true, makeRoom })
    const each = await graphDecoder({ runtime, base })
    const texts = [
      [5, 7, 9, 11],
      [1, 2, 3],
    ]
    for (const given of [null, soft, words]) {
      const [ours, theirs] = given ? [await one.bind(given), await each.bind(given)] : [null, null]
      for (const text of texts) {
        const [a, b] = [await one.open(ours, 20), await each.open(theirs, 20)]
        expect(await a.append(text)).toEqual(await b.append(text))
        // A batch with the base's own, in which each keeps its embeddings.
        const [plain, other] = [await one.open(null, 20), await each.open(null, 20)]
        await plain.append([4])
        await other.append([4])
        const steps = [
          { mine: a, wanted: b, token: 9 },
          { mine: plain, wanted: other, token: 5 },
        ]
        const found = await one.step(steps.map(({ mine, token }) => ({ sequence: mine, token })))
        const wanted = await each.step(steps.map(({ wanted, token }) => ({ sequence: wanted, token })))
        expect(found.map((row) => row.slice())).toEqual(wanted.map((row) => row.slice()))
        for (const sequence of [a, b, plain, other]) sequence.close()
      }
    }
    expect(sessions).toEqual({ open: 1, most: 1 })
    // Once for the base, once for all who have embeddings of their own.
    expect(asked).toBe(2)
    await one.dispose()
    await each.dispose()
    await runtime.dispose()
  })
