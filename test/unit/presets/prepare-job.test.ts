/**
 * @module A job's method and its settings, checked before the job is taken.
 */
import { describe, expect, test } from "bun:test"
import { methods } from "../../../adapters/mod.ts"
import { methodOfJob } from "../../../src/presets/prepare-job.ts"

describe("methodOfJob()", () => {
  test("takes every method that makes an adapter, and says why not of the others", () => {
    for (const { name } of methods) {
      const base = name === "full" || name === "selective"
      const prepare = () => methodOfJob({ method: name, settings: name === "selective" ? { layers: [0] } : {} })
      if (base) expect(prepare).toThrow()
      else expect(prepare().name).toBe(name)
    }
  })

  test("names what is wrong", () => {
    const failure = (method: string, settings: Record<string, unknown>) => {
      try {
        methodOfJob({ method, settings })
      } catch (error) {
        return error
      }
      return null
    }
    expect(failure("lora", { rank: 4 })).toBeNull()
    expect(failure("nope", {})).toMatchObject({ code: "invalid_request", param: "espalier.method" })
    expect(failure("lora", { rank: -1 })).toMatchObject({ code: "invalid_request", param: "espalier.settings" })
    expect(failure("full", {})).toMatchObject({ code: "unsupported", param: "espalier.method" })
  })
})
