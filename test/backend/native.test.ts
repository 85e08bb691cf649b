/**
 * @module The native backend: what every backend does, and where its files go.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { f32 } from "../../src/core/tensor.ts"
import { native } from "../../src/runtime/native.ts"
import { runtimeCases } from "../cases/runtime.case.ts"
import { linearModel, linearWeights, scaleModel } from "../support/onnx-models.ts"

runtimeCases(native)

describe("files of the native backend", () => {
  const x = f32([1, 3], [0, 0, 1])
  let weightsFolder: string
  let workFolder: string
  beforeEach(async () => {
    weightsFolder = await mkdtemp(join(tmpdir(), "espalier-weights-"))
    workFolder = await mkdtemp(join(tmpdir(), "espalier-work-"))
  })
  afterEach(async () => {
    await rm(weightsFolder, { recursive: true })
    await rm(workFolder, { recursive: true })
  })

  /** Opens a session over this file twice, runs it, and gives what lay in the work folder meanwhile. */
  async function runOver(path: string | null): Promise<string[]> {
    const runtime = await native.open({ threads: 1, workFolder })
    try {
      const spec = { model: linearModel, weights: { ...linearWeights, path } }
      const [one, two] = await Promise.all([runtime.createSession(spec), runtime.createSession(spec)])
      for (const session of [one, two]) expect((await session.run({ x })).y).toEqual(f32([1, 2], [5, 6]))
      const found = await readdir(workFolder)
      await one.dispose()
      await two.dispose()
      return found
    } finally {
      await runtime.dispose()
    }
  }

  test("a graph lies beside its weights once, and stays for the next process", async () => {
    const path = join(weightsFolder, "weights.bin")
    await writeFile(path, await linearWeights.bytes())
    expect(await runOver(path)).toEqual([])
    const first = (await readdir(weightsFolder)).sort()
    expect(first).toEqual([expect.stringMatching(/^graph-[0-9a-f]{32}\.onnx$/), "weights.bin"])
    const { ino } = await stat(join(weightsFolder, first[0]!))
    await runOver(path)
    expect((await readdir(weightsFolder)).sort()).toEqual(first)
    expect((await stat(join(weightsFolder, first[0]!))).ino).toBe(ino)
  })

  test("weights in memory are written once for all sessions, and go with the runtime", async () => {
    expect(await runOver(null)).toHaveLength(1)
    expect(await readdir(workFolder)).toEqual([])
  })

  test("weights under another file name are linked under the name that models know", async () => {
    const path = join(weightsFolder, "blob.dat")
    await writeFile(path, await linearWeights.bytes())
    expect(await runOver(path)).toHaveLength(1)
    expect(await readdir(workFolder)).toEqual([])
    expect(await readdir(weightsFolder)).toEqual(["blob.dat"])
    expect((await stat(path)).nlink).toBe(1)
  })

  test("weights that can't be had leave nothing behind, and are asked for again by the next session", async () => {
    const runtime = await native.open({ threads: 1, workFolder })
    let asked = 0
    const bytes = async () => {
      if (asked++ === 0) throw new Error("No space left")
      return linearWeights.bytes()
    }
    const spec = { model: linearModel, weights: { ...linearWeights, bytes } }
    await expect(runtime.createSession(spec)).rejects.toThrow("No space left")
    expect(await readdir(workFolder)).toEqual([])
    const session = await runtime.createSession(spec)
    expect((await session.run({ x })).y).toEqual(f32([1, 2], [5, 6]))
    await session.dispose()
    await runtime.dispose()
    expect(await readdir(workFolder)).toEqual([])
  })

  test("a graph without weights writes no file", async () => {
    const runtime = await native.open({ threads: 1, workFolder })
    const session = await runtime.createSession({ model: scaleModel, weights: null })
    expect((await session.run({ x })).y).toEqual(f32([1, 3], [0, 0, 2]))
    expect(await readdir(workFolder)).toEqual([])
    await session.dispose()
    await runtime.dispose()
    await runtime.dispose()
  })
})
