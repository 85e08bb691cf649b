/**
 * @module Prints documents of the corpus as JSON lines: `bun run scripts/make-corpus.ts [count] [seed] [train|heldout]`.
 * The stream has no end; pre-training reads it directly.
 */
import { corpusStream } from "./corpus/corpus.ts"

if (import.meta.main) {
  const [count = "100", seed = "1", split = "train"] = process.argv.slice(2)
  const wanted = Number(count)
  if (!(wanted >= 0) || !Number.isSafeInteger(Number(seed)) || (split !== "train" && split !== "heldout")) {
    console.error("Expected a number of documents, a whole number as seed, and train or heldout")
    process.exit(2)
  }
  let printed = 0
  if (wanted > 0) {
    for (const document of corpusStream(Number(seed), split)) {
      console.log(JSON.stringify(document))
      if (++printed >= wanted) break
    }
  }
}
