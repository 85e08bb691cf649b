/**
 * @module The native engine reports nothing to its maker: the environment that native code sees says so, and no device id
 * comes into being.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { disableEngineTelemetry } from "../../../src/runtime/telemetry.ts"
import { nativeVariable, setVariable } from "../../support/native-environment.ts"

const VARIABLE = "ORT_DISABLE_TELEMETRY"
const telemetry = join(import.meta.dir, "..", "..", "..", "src", "runtime", "telemetry.ts")

describe("disableEngineTelemetry()", () => {
  let before: string | undefined
  beforeEach(() => {
    before = process.env[VARIABLE]
    setVariable(VARIABLE, null)
  })
  afterEach(() => setVariable(VARIABLE, before ?? null))

  test("reaches native code, which under Bun does not see process.env", async () => {
    process.env[VARIABLE] = "from process.env alone"
    expect(nativeVariable(VARIABLE)).toBeNull()
    delete process.env[VARIABLE]
    await disableEngineTelemetry()
    expect(nativeVariable(VARIABLE)).toBe("1")
    expect(process.env[VARIABLE]).toBe("1")
  })

  test.each(["0", "", "true"])("leaves the choice of whoever made one: %p", async (choice) => {
    process.env[VARIABLE] = choice
    await disableEngineTelemetry()
    expect(nativeVariable(VARIABLE)).toBe(choice)
    expect(process.env[VARIABLE]).toBe(choice)
  })

  test("reaches native code from a Worker", async () => {
    const code = `import { disableEngineTelemetry } from ${JSON.stringify(telemetry)}
      import { parentPort } from "node:worker_threads"
      await disableEngineTelemetry()
      parentPort.postMessage("done")`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
    try {
      expect(await new Promise((resolve) => worker.once("message", resolve))).toBe("done")
      expect(nativeVariable(VARIABLE)).toBe("1")
    } finally {
      await worker.terminate()
    }
  })

  test("an engine in a fresh home leaves no device id there", () => {
    const home = mkdtempSync(join(tmpdir(), "espalier-home-"))
    try {
      const module = join(import.meta.dir, "..", "..", "..", "src", "runtime", "webgpu.ts")
      // Asking for WebGPU loads the library and makes a session, which is when a device id would be made.
      const code = `const { webgpu } = await import(${JSON.stringify(module)}); await webgpu.probe(); console.log("asked")`
      // Without CI, by which the library would keep quiet of its own.
      const env = { PATH: process.env["PATH"] ?? "", HOME: home, XDG_CACHE_HOME: join(home, ".cache") }
      const { stdout } = spawnSync(process.execPath, ["-e", code], { env, encoding: "utf8", timeout: 60_000 })
      expect(stdout).toContain("asked")
      const names = readdirSync(home, { recursive: true }).map(String)
      expect(names.filter((name) => /microsoft|onnxruntime|deviceid/i.test(name))).toEqual([])
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  }, 60_000)
})
