/**
 * @module The way to onnxruntime-node.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { onnxruntimeNode } from "../../../src/runtime/onnxruntime-node.ts"

describe("onnxruntimeNode()", () => {
  let before: string | undefined
  beforeEach(() => {
    before = process.env["ORT_DISABLE_TELEMETRY"]
  })
  afterEach(() => {
    if (before === undefined) delete process.env["ORT_DISABLE_TELEMETRY"]
    else process.env["ORT_DISABLE_TELEMETRY"] = before
  })

  test("asks the engine to report nothing", async () => {
    delete process.env["ORT_DISABLE_TELEMETRY"]
    expect(typeof (await onnxruntimeNode()).InferenceSession.create).toBe("function")
    expect(process.env["ORT_DISABLE_TELEMETRY"]).toBe("1")
  })

  test("leaves the choice of whoever made one", async () => {
    process.env["ORT_DISABLE_TELEMETRY"] = "0"
    await onnxruntimeNode()
    expect(process.env["ORT_DISABLE_TELEMETRY"]).toBe("0")
  })
})
