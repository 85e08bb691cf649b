import { describe, expect, test } from "bun:test"
import { defineCommand, exitCodeOf, exitCodes, helpOf, nearest, parseOptions } from "../../../src/cli/command.ts"
import { from } from "../../../src/cli/number-range.ts"
import { type ErrorCode, EspalierError } from "../../../src/core/errors.ts"

const command = defineCommand({
  name: "grow",
  summary: "Grows a plant.",
  usage: "<plant> [options]",
  options: {
    height: { type: "number", range: from(-1, 100), description: "how tall", default: "3" },
    side: { type: "string", description: "which side", choices: ["left", "right"] },
    tie: { type: "list", value: "name=place", description: "a tie" },
    water: { type: "boolean", description: "water it" },
  },
  examples: ["espalier grow pear --height 2"],
  run: async () => 0,
})

describe("parseOptions()", () => {
  const parse = (...args: string[]) => parseOptions(command, args)

  test("reads values by their types, and what is left as positionals", () => {
    const { values, positionals } = parse(
      "pear",
      "--height",
      "2.5",
      "--side=left",
      "--tie",
      "a=b",
      "--tie",
      "c",
      "--water",
    )
    expect<object>(values).toEqual({ height: 2.5, side: "left", tie: ["a=b", "c"], water: true })
    expect(positionals).toEqual(["pear"])
  })

  test("reads a negative number after =, --no- before a switch, and nothing after --", () => {
    expect<object>(parse("--height=-1", "--no-water", "--", "--higth").values).toEqual({ height: -1, water: false })
    expect(parse("--", "--higth").positionals).toEqual(["--higth"])
  })

  const refusals: readonly (readonly [args: string[], message: string, hint?: string])[] = [
    [["--heigth", "2"], "Unknown option --heigth", "Did you mean --height?"],
    [["--no-watr"], "Unknown option --watr", "Did you mean --water?"],
    [["--entirely-different"], "Unknown option --entirely-different", "See espalier grow --help"],
    [["--height", "tall"], 'Expected height to be a number but found "tall"'],
    [["--height", ""], 'Expected height to be a number but found ""'],
    [["--height", "Infinity"], 'Expected height to be a number but found "Infinity"'],
    [["--height", "101"], "Expected height to be a number from -1 to 100 but found 101"],
    [["--side", "top"], 'Expected side to be one of left, right but found "top"'],
  ]
  for (const [args, message, hint] of refusals) {
    test(`refuses ${args.join(" ")}`, () => {
      let error: unknown
      try {
        parse(...args)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(EspalierError)
      expect(error).toMatchObject({ code: "invalid_request", message, ...(hint && { hint }) })
      expect(exitCodeOf(error)).toBe(exitCodes.usage)
    })
  }

  test("refuses an option without its value", () => {
    expect(() => parse("--height")).toThrow(EspalierError)
  })
})

test("helpOf() shows usage, every option with default and choices, and the examples", () => {
  const help = helpOf(command)
  for (const part of [
    "espalier grow <plant> [options]",
    "--height <n>",
    "how tall [3]",
    "which side (left, right)",
    "--tie <name=place>",
    "-h, --help",
    "--json",
    "  espalier grow pear --height 2",
  ]) {
    expect(help).toContain(part)
  }
})

test("nearest() finds a slip of the fingers and leaves other words alone", () => {
  const known = ["train", "serve", "learning-rate"]
  expect(nearest("tarin", known)).toBe("train")
  expect(nearest("learningrate", known)).toBe("learning-rate")
  expect(nearest("export", known)).toBeNull()
})

test("exitCodeOf() tells a wrong file from wrong usage, a missing backend and a fault", () => {
  const codes: Record<ErrorCode, number> = {
    invalid_request: 2,
    context_length_exceeded: 2,
    unsupported: 2,
    conflict: 2,
    invalid_file: 3,
    adapter_mismatch: 3,
    not_found: 3,
    too_large: 3,
    aborted: 4,
    unavailable: 5,
    queue_full: 1,
    storage_full: 1,
    internal: 1,
  }
  const found = Object.keys(codes).map((code) => [code, exitCodeOf(new EspalierError(code as ErrorCode, "x"))])
  expect(Object.fromEntries(found)).toEqual(codes)
  expect(exitCodeOf(new RangeError("x"))).toBe(2)
  expect(exitCodeOf(new Error("x"))).toBe(1)
})
