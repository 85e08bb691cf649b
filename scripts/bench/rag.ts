/**
 * @module `bench rag`: how fast documents are added and searched, over invented words that come as often as words do.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineCommand, exitCodes, type OptionValues } from "../../src/cli/command.ts"
import { count } from "../../src/cli/number-range.ts"
import { type Rng, rng } from "../../src/core/rng.ts"
import { openDocuments } from "../../src/presets/open-documents.ts"
import { formatBytes } from "../../src/train/progress.ts"
import { percentiles } from "./load.ts"
import { machine, machineLine } from "./machine.ts"

const options = {
  chunks: { type: "number", range: count(), description: "pieces in the index", default: "100000" },
  document: { type: "number", range: count(65_536), description: "pieces of a document, about", default: "4" },
  queries: { type: "number", range: count(), description: "searches", default: "500" },
  base: { type: "string", value: "folder", description: "whose tokenizer counts", default: "models/sprig" },
} as const

export const ragBench = defineCommand({
  name: "rag",
  summary: "Documents added a second, time of a search, memory.",
  usage: "[options]",
  options,
  examples: ["npm run bench -- rag", "npm run bench -- rag --chunks 10000 --json"],
  async run(given, _positionals, io) {
    const values = given as OptionValues<typeof options> & { readonly json?: boolean }
    const where = machine()
    const wanted = values.chunks ?? 100_000
    const folder = await mkdtemp(join(tmpdir(), "espalier-bench-"))
    try {
      const index = await openDocuments({ folder, base: values.base ?? "models/sprig" })
      const collection = index.createCollection("", "bench").id
      const random = rng(1, "bench:rag")
      const vocabulary = words(random)
      let chunks = 0
      let documents = 0
      const before = process.memoryUsage.rss()
      const began = performance.now()
      let halfway = 0
      while (chunks < wanted) {
        const batch = Array.from({ length: 256 }, () => document(random, vocabulary, documents++, values.document ?? 4))
        for (const { document } of await index.putAll(collection, batch)) chunks += document.chunks
        if (halfway === 0 && chunks >= wanted / 2) halfway = process.memoryUsage.rss() - before
      }
      const seconds = (performance.now() - began) / 1000
      const grown = process.memoryUsage.rss() - before
      const times: number[] = []
      let found = 0
      for (let i = 0; i < (values.queries ?? 500); i++) {
        const query = question(random, vocabulary)
        const start = performance.now()
        found += (await index.search({ collection, query, limit: 3 })).length
        times.push(performance.now() - start)
      }
      const { median, p95, p99 } = percentiles(times)
      const searched = process.memoryUsage.rss() - before
      index.close()
      const figures = {
        chunks,
        documents,
        chunks_per_second: chunks / seconds,
        median,
        p95,
        p99,
        found,
        halfway,
        grown,
        searched,
      }
      io.out(
        values.json
          ? `${JSON.stringify({ bench: "rag", machine: where, ...figures })}\n`
          : [
              machineLine(where),
              `${chunks} pieces of ${documents} documents, added at ${figures.chunks_per_second.toFixed(0)} pieces a second`,
              `search: median ${median.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
              `memory: ${formatBytes(halfway)} more when half of them are added, ${formatBytes(grown)} when all are, ${formatBytes(searched)} after searching`,
              "",
            ].join("\n"),
      )
      return exitCodes.ok
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

/** Words of which a few come often and most seldom: the n-th comes with a weight of 1 / n (Zipf's law). */
function words(random: Rng): string[] {
  const syllables = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu"]
  return Array.from({ length: 30_000 }, () =>
    Array.from({ length: 2 + random.below(3) }, () => random.pick(syllables)).join(""),
  )
}

const word = (random: Rng, all: readonly string[]): string =>
  all[Math.min(all.length - 1, Math.floor(all.length ** random.next()) - 1)]!

const sentence = (random: Rng, all: readonly string[]): string =>
  `${Array.from({ length: 8 + random.below(8) }, () => word(random, all)).join(" ")}.`

function document(random: Rng, all: readonly string[], number: number, pieces: number) {
  const count = Math.max(1, Math.round(pieces * 4 * (0.5 + random.next())))
  const text = Array.from({ length: count }, () => sentence(random, all)).join(" ")
  return { id: `document-${number}`, title: `Document ${number}`, text, metadata: { number } }
}

/** A rare word with commoner ones around it. */
const question = (random: Rng, all: readonly string[]): string =>
  `What is the ${word(random, all)} of the ${word(random, all)} ${all[100 + random.below(all.length - 100)]}?`
