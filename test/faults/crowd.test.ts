/**
 * @module More clients than a real server has room for, while it trains; `npm run torture` sends a thousand.
 */
import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crowd } from "../../scripts/torture/crowd.ts"
import { sprigFolder } from "../support/sprig.ts"

const store = mkdtempSync(join(tmpdir(), "espalier-crowd-"))
afterAll(() => rmSync(store, { recursive: true, force: true }))

test("200 clients at once are answered whole or refused, none hangs, and what they held is given back", async () => {
  const found = await crowd({ base: sprigFolder, store, clients: 200, requests: 1, seed: 1 })
  expect(found).toMatchObject({ sent: 200, hung: 0, failed: 0, healthFailed: 0 })
  expect(found.answered + found.refused).toBe(200)
  // Eight at once, and 64 that wait.
  expect(found.answered).toBeGreaterThanOrEqual(72)
  expect(found.filesAfter).toBeLessThanOrEqual(found.filesBefore + 2)
  expect(found.healthAsked).toBeGreaterThan(0)
}, 300_000)
