import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methods } from "../../../adapters/mod.ts"
import { describeError, printable } from "../../../src/cli/io.ts"
import { main } from "../../../src/cli/main.ts"
import { EspalierError } from "../../../src/core/errors.ts"

/** Runs one command line. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ""
  let err = ""
  const code = await main(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    isTerminal: false,
    columns: () => 80,
    env: {},
  })
  return { code, out, err }
}

describe("main()", () => {
  test("lists the commands and the exit codes", async () => {
    const { code, out } = await run("--help")
    expect(code).toBe(0)
    for (const part of ["train", "serve", "generate", "chat", "eval", "inspect", "Exit codes"])
      expect(out).toContain(part)
    expect((await run()).code).toBe(2)
  })

  for (const name of ["train", "serve", "generate", "chat", "eval", "inspect"]) {
    test(`${name} --help shows options and examples`, async () => {
      const { code, out } = await run(name, "--help")
      expect(code).toBe(0)
      expect(out).toContain(`espalier ${name}`)
      expect(out).toContain("Options:")
      expect(out).toContain("Examples:")
    })
  }

  test("train --help and plan --help say what each method is for", async () => {
    for (const name of ["train", "plan"]) {
      const { out } = await run(name, "--help")
      for (const { name: method, summary } of methods) expect(out).toMatch(new RegExp(`^  ${method} +${summary}$`, "m"))
    }
  })

  test("an unknown command ends with 2 and names the one that was perhaps meant", async () => {
    expect(await run("tarin")).toEqual({
      code: 2,
      out: "",
      err: 'Error: There is no command "tarin"\nDid you mean train?\n',
    })
  })

  test("an unknown option ends with 2", async () => {
    const { code, err } = await run("train", "--epoch", "3")
    expect(code).toBe(2)
    expect(err).toContain("Did you mean --epochs?")
  })

  test("a data file that is not there ends with 3", async () => {
    const { code, err } = await run("train", "--data", "no-such-file.jsonl")
    expect(code).toBe(3)
    expect(err).toContain("no-such-file.jsonl")
  })

  test("a configuration file is read, and the command line goes before it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "espalier-main-"))
    try {
      const config = join(folder, "run.yaml")
      writeFileSync(config, "data: from-the-file.jsonl\n")
      expect((await run("train", "--config", config)).err).toContain("from-the-file.jsonl")
      expect((await run("train", "--config", config, "--data", "from-the-line.jsonl")).err).toContain("from-the-line")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test("LoRA's dropout has an option of its own, which no other method takes", async () => {
    const other = await run("train", "--method", "full", "--lora-dropout", "0.1")
    expect(other.code).toBe(2)
    expect(other.err).toContain("Method full has no dropout")
    const much = await run("train", "--lora-dropout", "1.5")
    expect(much.code).toBe(2)
    expect(much.err).toContain("Expected lora-dropout to be a number from 0 to 1 but found 1.5")
    const folder = mkdtempSync(join(tmpdir(), "espalier-main-"))
    try {
      const config = join(folder, "run.yaml")
      writeFileSync(config, "lora_dropout: -1\n")
      expect((await run("train", "--config", config)).err).toContain(
        "Expected lora_dropout to be a number from 0 to 1 but found -1",
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test("an open address without a key ends with 2, before anything is loaded", async () => {
    const { code, err } = await run("serve", "--host", "0.0.0.0")
    expect(code).toBe(2)
    expect(err).toContain("--api-key")
  })

  test("inspect tells an adapter from a base, for people and for machines", async () => {
    const base = await run("inspect", "test/fixtures/parity/llama/base", "--json")
    expect(base.code).toBe(0)
    expect(JSON.parse(base.out)).toMatchObject({ kind: "base", modelType: "llama" })
    const adapter = await run("inspect", "test/fixtures/parity/llama/lora/adapter_final", "--tensors")
    expect(adapter.out).toMatch(/^kind +adapter$/m)
    expect(adapter.out).toContain("lora_A.weight")
    expect(adapter.out).toMatch(/^weights_sha256 +none in espalier\.json$/m)
    const neither = await run("inspect", "test/fixtures/text")
    expect(neither.code).toBe(3)
  })
})

test("printable() keeps text, line breaks and tabs, and drops what drives a terminal", () => {
  expect(printable("a\tb\nc é 好 \u{1f331}")).toBe("a\tb\nc é 好 \u{1f331}")
  expect(printable("\x1b[2Jred\x07\x9b31m\r\x7f\0")).toBe("[2Jred31m")
})

test("a command whose reader is gone ends as others do", async () => {
  const child = Bun.spawn(["sh", "-c", `"${process.execPath}" src/cli/main.ts --help | true`], { stderr: "pipe" })
  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""])
})

test("describeError() gives message and hint, and no stack", () => {
  expect(describeError(new EspalierError("not_found", "There is no x", { hint: "Make one" }))).toBe(
    "Error: There is no x\nMake one\n",
  )
  expect(describeError(new TypeError("no"))).toBe("Error: no\n")
  expect(describeError("text")).toBe("Error: text\n")
})
