/**
 * @module The way to onnxruntime-node.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { onnxruntimeNode } from "../../../src/runtime/onnxruntime-node.ts"
import { nativeVariable, setVariable } from "../../support/native-environment.ts"

describe("onnxruntimeNode()", () => {
  let before: string | undefined
  beforeEach(() => {
    before = process.env["ORT_DISABLE_TELEMETRY"]
    setVariable("ORT_DISABLE_TELEMETRY", null)
  })
  afterEach(() => setVariable("ORT_DISABLE_TELEMETRY", before ?? null))

  test("gives the engine, and has asked it to report nothing", async () => {
    expect(typeof (await onnxruntimeNode()).InferenceSession.create).toBe("function")
    expect(nativeVariable("ORT_DISABLE_TELEMETRY")).toBe("1")
  })
})
