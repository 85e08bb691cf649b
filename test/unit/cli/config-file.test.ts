import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { OptionTable } from "../../../src/cli/command.ts"
import { readConfigFile } from "../../../src/cli/config-file.ts"
import { from } from "../../../src/cli/number-range.ts"
import { EspalierError } from "../../../src/core/errors.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-config-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const table: OptionTable = {
  "learning-rate": { type: "number", range: from(0, 100), description: "rate" },
  method: { type: "string", description: "method", choices: ["lora", "full"] },
  set: { type: "list", description: "settings" },
  score: { type: "boolean", description: "score" },
}

let count = 0
function read(ending: string, text: string): Promise<Record<string, unknown>> {
  const path = join(folder, `run${count++}.${ending}`)
  writeFileSync(path, text)
  return readConfigFile(path, table)
}

/** The error that reading gives. */
async function refusal(ending: string, text: string): Promise<EspalierError> {
  try {
    await read(ending, text)
  } catch (error) {
    expect(error).toBeInstanceOf(EspalierError)
    return error as EspalierError
  }
  throw new Error("It was accepted")
}

describe("readConfigFile()", () => {
  const wanted = { "learning-rate": 0.01, method: "lora", set: ["rank=4"], score: false }

  test("reads YAML, with names written with - or with _", async () => {
    expect(await read("yaml", "learning_rate: 0.01\nmethod: lora\nset: [rank=4]\nscore: false\n")).toEqual(wanted)
    expect(await read("yml", "learning-rate: 1e-2\nmethod: lora\nset: rank=4\nscore: false\n")).toEqual(wanted)
  })

  test("reads JSON", async () => {
    expect(await read("json", JSON.stringify(wanted))).toEqual(wanted)
  })

  test("takes an empty file for no settings", async () => {
    expect(await read("yaml", "# nothing yet\n")).toEqual({})
  })

  test("names every field that is wrong, and what was perhaps meant", async () => {
    const error = await refusal("yaml", "learning_rat: 1\nmethod: dora\nscore: maybe\n")
    expect(error.code).toBe("invalid_file")
    expect(error.message).toContain("learning_rat: unknown field, did you mean learning_rate?")
    expect(error.message).toContain('method: Expected method to be one of lora, full but found "dora"')
    expect(error.message).toContain('score: Expected score to be true or false but found "maybe"')
    expect(error.message).toMatch(/run\d+\.yaml/)
  })

  test("names the line of a syntax error in YAML", async () => {
    expect((await refusal("yaml", "method: lora\nset: [rank=4\nscore: true\n")).message).toMatch(/line [23]/)
  })

  test("names the line of a syntax error in JSON", async () => {
    expect((await refusal("json", '{\n  "method": "lora"\n  "score": true\n}')).message).toContain("line 3")
    expect((await refusal("json", "method: lora")).message).toContain("JSON")
  })

  test("refuses a list where fields were expected, and a bomb of aliases", async () => {
    expect((await refusal("json", "[1]")).code).toBe("invalid_file")
    const bomb = ["a: &a [x, x]", ...Array.from("bcdefgh", (c, i) => `${c}: &${c} [${`*${"abcdefg"[i]},`.repeat(9)}]`)]
    expect((await refusal("yaml", bomb.join("\n"))).code).toBe("invalid_file")
  })

  test("says that there is no such file", async () => {
    expect(readConfigFile(join(folder, "none.yaml"), table)).rejects.toThrow("There is no configuration file")
  })
})
