/**
 * @module Folders as HTTP serves them: beside their files the list of them.
 */
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { LISTING } from "../../src/store/web-folder.ts"

/** Writes the list of its files into a folder, and into those in it. */
export function listFiles(path: string): void {
  const entries = readdirSync(path, { withFileTypes: true })
  const names = entries.filter((each) => each.isFile()).map(({ name }) => name)
  writeFileSync(join(path, LISTING), JSON.stringify(names))
  for (const each of entries) if (each.isDirectory()) listFiles(join(path, each.name))
}
