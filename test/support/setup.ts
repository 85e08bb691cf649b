/**
 * @module Runs before every test file: a cache folder of the test run's own, so that no test sees another run's files.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

if (!process.env["ESPALIER_CACHE"]) {
  const folder = mkdtempSync(join(tmpdir(), "espalier-test-"))
  process.env["ESPALIER_CACHE"] = folder
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
}
