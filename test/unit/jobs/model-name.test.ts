/**
 * @module Names of fine-tuned models, and their folders.
 */
import { describe, expect, test } from "bun:test"
import { checkpointName, folderOf, isCheckpointName, modelName, modelOf } from "../../../src/jobs/model-name.ts"
import { checkName } from "../../../src/service/adapters.ts"

const id = "ftjob-0123456789abcdef0123456789abcdef"

describe("modelName()", () => {
  test("is OpenAI's, with the suffix or without", () => {
    expect(modelName("sprig", "desk", id)).toBe("ft:sprig:desk:0123456789ab")
    expect(modelName("sprig", null, id)).toBe("ft:sprig::0123456789ab")
  })

  test("is one that an adapter can have, and a folder's that leads back, whatever the base is called", () => {
    for (const base of ["sprig", "SmolLM2-135M-Instruct-with-a-very-long-name", "a b/../c", "..", "naïve ☀", "~x~"]) {
      for (const suffix of [null, "x".repeat(64), "a.b-c_d"]) {
        const model = modelName(base, suffix, id)
        for (const name of [model, checkpointName(model, 1_000_000)]) {
          expect(() => checkName(name, "base")).not.toThrow()
          expect(folderOf(name)).toMatch(/^ft~[\w.~-]+$/)
          expect(modelOf(folderOf(name))).toBe(name)
        }
        expect([isCheckpointName(model), isCheckpointName(checkpointName(model, 3))]).toEqual([false, true])
      }
    }
  })

  test("is no other folder's", () => {
    for (const folder of ["support", "ft~x", "ft~a~b~xyz", ".ft~a~b~00.old", "ft~a~b~00~ckpt", "ft~a/../b~~00"])
      expect(modelOf(folder)).toBeNull()
  })
})
