/**
 * @module A job's method and its settings, checked before the job is taken.
 */
import { describe, expect, test } from "bun:test"
import { methods } from "../../../adapters/mod.ts"
import type { JobSpec } from "../../../src/jobs/job-record.ts"
import { openPlanBase } from "../../../src/presets/plan-base.ts"
import { checkJob, methodOfJob } from "../../../src/presets/prepare-job.ts"
import { sprigFolder } from "../../support/sprig.ts"

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

describe("checkJob()", () => {
  const bounds = { ...openPlanBase(sprigFolder, null), hasSuite: true }
  const plain = { method: "lora", settings: {}, maxLength: null, maxForgetting: null } as unknown as JobSpec
  const failure = (fields: Partial<JobSpec>, given = bounds) => {
    try {
      checkJob({ ...plain, ...fields }, given)
    } catch (error) {
      return error
    }
    return null
  }

  test("takes what fits", () => {
    expect(failure({})).toBeNull()
    expect(
      failure({ maxLength: bounds.base.config.contextLength, settings: { rank: 64 }, maxForgetting: 1 }),
    ).toBeNull()
    for (const { name } of methods.filter(({ peft }) => peft !== null))
      expect([name, failure({ method: name })]).toEqual([name, null])
  })

  test("refuses what no memory would hold, before anything is allocated", () => {
    const rows: readonly (readonly [method: string, settings: Record<string, unknown>])[] = [
      ["lora", { rank: 1e9 }],
      ["lora", { rank: Number.MAX_SAFE_INTEGER }],
      ["lora", { targets: ["nowhere"] }],
      ["prompt_tuning", { virtualTokens: 1e9 }],
      ["prefix_tuning", { virtualTokens: 511 }],
      ["p_tuning", { virtualTokens: 20, encoderHiddenSize: 1e12 }],
    ]
    for (const [method, settings] of rows) {
      expect([settings, failure({ method, settings })]).toEqual([
        settings,
        expect.objectContaining({ param: "espalier.settings" }),
      ])
    }
    expect(failure({ maxLength: 513 })).toMatchObject({ code: "invalid_request", param: "espalier.max_length" })
  })

  test("refuses the forgetting gate where there is nothing to measure by", () => {
    expect(failure({ maxForgetting: 1 }, { ...bounds, hasSuite: false })).toMatchObject({
      code: "unsupported",
      param: "espalier.max_forgetting",
    })
  })
})
