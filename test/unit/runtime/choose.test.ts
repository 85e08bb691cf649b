/**
 * @module The choice of a backend.
 */
import { describe, expect, test } from "bun:test"
import { chooseBackend } from "../../../src/runtime/choose.ts"
import type { Backend, BackendName } from "../../../src/runtime/runtime.ts"

/** A backend that can run, or can't for this reason; it notes that it was asked. */
const backend = (name: BackendName, reason: string | null, asked: string[] = []): Backend => ({
  name,
  async probe() {
    asked.push(name)
    return reason === null ? { ok: true } : { ok: false, reason }
  },
  open: () => Promise.reject(new Error("A choice opens nothing")),
})

describe("chooseBackend()", () => {
  test("takes the first that runs, and asks no further", async () => {
    const asked: string[] = []
    const { backend: found, why } = await chooseBackend("auto", [
      backend("native", null, asked),
      backend("wasm", null, asked),
    ])
    expect(found.name).toBe("native")
    expect(why).toBe("backend native: the fastest that runs here")
    expect(asked).toEqual(["native"])
  })

  test("goes on where one can't run, and says why", async () => {
    const { backend: found, why } = await chooseBackend("auto", [
      backend("native", "onnxruntime-node can't be loaded"),
      backend("wasm", "no memory"),
      backend("webgpu", null),
    ])
    expect(found.name).toBe("webgpu")
    expect(why).toContain("native can't run here (onnxruntime-node can't be loaded)")
    expect(why).toContain("wasm can't run here (no memory)")
  })

  test("takes what is asked for, though another would come first", async () => {
    const asked: string[] = []
    const { backend: found, why } = await chooseBackend("wasm", [
      backend("native", null, asked),
      backend("wasm", null, asked),
    ])
    expect(found.name).toBe("wasm")
    expect(why).toBe("backend wasm, as asked")
    expect(asked).toEqual(["wasm"])
  })

  test("refuses what is asked for and can't run, rather than taking another", async () => {
    await expect(
      chooseBackend("webgpu", [backend("native", null), backend("webgpu", "no adapter")]),
    ).rejects.toMatchObject({
      code: "unavailable",
      param: "backend",
      message: "Backend webgpu can't run here: no adapter",
    })
  })

  test("refuses a name that is not in the list, and says which are", async () => {
    await expect(chooseBackend("webgpu", [backend("native", null), backend("wasm", null)])).rejects.toMatchObject({
      code: "invalid_request",
      param: "backend",
      hint: "Known: auto, native, wasm",
    })
  })

  test("gives every reason where none can run", async () => {
    await expect(
      chooseBackend("auto", [backend("native", "no file"), backend("wasm", "no memory")]),
    ).rejects.toMatchObject({
      code: "unavailable",
      message: "No backend can run here: native can't run here (no file); wasm can't run here (no memory)",
    })
  })
})
