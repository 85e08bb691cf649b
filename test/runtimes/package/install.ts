/**
 * @module The npm package, packed and installed by npm itself into an empty project, where it trains and answers: what the tests
 * beside this file do over links, as they may not ask a registry.
 *
 * Usage: bun run test/runtimes/package/install.ts
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { buildPackage } from "../../../scripts/build-package.ts"

const folder = mkdtempSync(join(tmpdir(), "espalier-install-"))
const project = join(folder, "project")

/** As in a terminal of the project: nothing of what runs this is in its environment. */
function ran(command: string, args: readonly string[], cwd = project): string {
  const { PATH, HOME } = process.env
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 240_000,
    env: { PATH, HOME, ONNXRUNTIME_NODE_INSTALL: "skip", NO_COLOR: "1", ESPALIER_CACHE: join(folder, "cache") },
  })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`)
  return stdout + stderr
}

try {
  await buildPackage(join(folder, "built"))
  ran("npm", ["pack", "--silent", "--pack-destination", folder], join(folder, "built"))
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))!
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "mine", private: true }))
  const rows = Array.from({ length: 16 }, (_, i) => ({
    prompt: `Mira bought ${i} apples.`,
    completion: `apples: ${i}`,
  }))
  writeFileSync(join(project, "rows.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"))
  ran("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", join(folder, tarball)])
  const trained = ran("npx", [
    "espalier",
    "train",
    "--data",
    "rows.jsonl",
    "--steps",
    "2",
    "--out",
    "adapters-out/mine",
  ])
  if (!trained.includes("npx espalier chat --adapter adapters-out/mine"))
    throw new Error(`Expected to be told what to type next but found:\n${trained}`)
  for (const backend of ["native", "wasm"]) {
    const answer = ran("npx", [
      ...["espalier", "generate", "--adapter", "adapters-out/mine", "--backend", backend],
      "Copy this: Mira bought 3 apples.",
    ])
    if (answer.trim() === "") throw new Error(`Expected an answer on ${backend}`)
    console.log(`${backend}: ${answer.trim().split("\n").at(-1)}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
