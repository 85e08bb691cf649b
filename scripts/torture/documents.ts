/**
 * @module Documents under `kill -9`: what was acknowledged is there, nothing is half; and collections side by side, of which
 * no search may see another's.
 */
import { spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Rng, rng } from "../../src/core/rng.ts"
import { openDocuments } from "../../src/presets/open-documents.ts"
import type { SqliteIndex } from "../../src/rag/sqlite-index.ts"

/** What was found after kills. */
export interface KillFigures {
  readonly kills: number
  /** Runs that had ended before they could be killed. */
  readonly ended: number
  readonly acknowledged: number
  /** Acknowledged, and not there as they were sent. */
  readonly lost: number
  /** There, and neither as before nor as sent. */
  readonly half: number
}

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

const textOf = (version: number, i: number, random: Rng): string =>
  Array.from(
    { length: 1 + (i % 12) },
    (_, part) => `Version ${version} of document ${i}, part ${part}, says ${random.below(1e9)}.`,
  ).join(" ")

/** Adds the same documents again and again, each time with other texts, and kills the process at a random moment. */
export async function killedAdds({
  kills,
  documents,
  base,
  seed,
}: {
  kills: number
  documents: number
  base: string
  seed: number
}): Promise<KillFigures> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-torture-"))
  const random = rng(seed, "torture:documents")
  let before: readonly (string | null)[] = new Array<null>(documents).fill(null)
  const found = { kills: 0, ended: 0, acknowledged: 0, lost: 0, half: 0 }
  try {
    while (found.kills < kills) {
      const texts = before.map((_, i) => textOf(found.kills + found.ended, i, random))
      const file = join(folder, "documents.jsonl")
      await writeFile(file, texts.map((text, i) => `${JSON.stringify({ id: `d${i}`, text })}\n`).join(""))
      const { acknowledged, wasKilled } = await addAndKill([file, "--documents", folder, "--base", base], random)
      found[wasKilled ? "kills" : "ended"]++
      found.acknowledged += acknowledged.size
      const index = await openDocuments({ folder, base })
      const after = await stored(index, documents)
      index.close()
      for (const [i, text] of after.entries()) {
        if (acknowledged.has(`d${i}`) && text !== texts[i]) found.lost++
        else if (text !== texts[i] && text !== before[i]) found.half++
      }
      before = after
    }
    return found
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs `espalier rag add`, and kills it somewhere between its first word and its last. */
async function addAndKill(args: readonly string[], random: Rng) {
  const child = spawn(process.execPath, [main, "rag", "add", ...args, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let out = ""
  // Some are killed before the first batch is written, the others some time after one that was acknowledged.
  const batches = random.below(4)
  const timer = batches === 0 ? setTimeout(() => child.kill("SIGKILL"), 200 + random.below(1000)) : undefined
  let killing = batches === 0
  child.stdout.on("data", (data) => {
    out += data
    if (killing || out.split("\n").length <= batches * 200) return
    killing = true
    setTimeout(() => child.kill("SIGKILL"), random.below(60))
  })
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  clearTimeout(timer)
  const lines = out.split("\n").slice(0, -1)
  const acknowledged = new Set(lines.map((line) => (JSON.parse(line) as { id: string }).id))
  return { acknowledged, wasKilled: code === null }
}

/** Every document's text, null for those that are not there. @throws {Error} If the index contradicts itself. */
async function stored(index: SqliteIndex, documents: number): Promise<(string | null)[]> {
  const collection = index.collection("", "default")?.id
  if (collection === undefined) return new Array<null>(documents).fill(null)
  const count = (sql: string): number => Number(index.database.get(sql)!["n"])
  const [pieces, words] = [count("SELECT count(*) AS n FROM chunks"), count("SELECT count(*) AS n FROM words")]
  const said = count("SELECT coalesce(sum(chunks), 0) AS n FROM documents")
  if (pieces !== words || pieces !== said)
    throw new Error(`${pieces} pieces, ${words} indexed, ${said} said to be there`)
  return Array.from({ length: documents }, (_, i) => index.text(collection, `d${i}`))
}

/** How many searches of how many saw another collection's documents. */
export async function collectionsApart({ queries, base, seed }: { queries: number; base: string; seed: number }) {
  const folder = await mkdtemp(join(tmpdir(), "espalier-torture-"))
  const random = rng(seed, "torture:collections")
  const index = await openDocuments({ folder, base })
  try {
    const words = Array.from({ length: 200 }, (_, i) => `word${i}`)
    const ids = ["one", "two"].map((owner) => index.createCollection(owner, "notes").id)
    for (const id of ids)
      await index.putAll(
        id,
        Array.from({ length: 200 }, (_, i) => ({
          id: `${id} ${i}`,
          title: "Note",
          text: Array.from({ length: 12 }, () => random.pick(words)).join(" "),
          metadata: {},
        })),
      )
    let crossed = 0
    for (let i = 0; i < queries; i++) {
      const collection = random.pick(ids)
      const query = `${random.pick(words)} ${random.pick(words)} collection1 collection2`
      const found = await index.search({ collection, query, limit: 10 })
      if (found.some((passage) => passage.collection !== collection || !passage.documentId.startsWith(collection)))
        crossed++
    }
    return { queries, crossed }
  } finally {
    index.close()
    await rm(folder, { recursive: true, force: true })
  }
}
