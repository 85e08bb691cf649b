/**
 * @module The smoke scenario on Bun.
 */
import { expect, test } from "bun:test"
import { smoke } from "../smoke.ts"

test("Bun agrees with PyTorch on both CPU backends and serves from a Worker", async () => {
  const lines: string[] = []
  await smoke((line) => lines.push(line))
  expect(lines.map((line) => line.split(":")[0])).toEqual(["native", "wasm", "http"])
}, 60_000)
