/**
 * @module Scores a base on held-out items of every family of the corpus, by exact match of greedy answers.
 *
 * Usage: bun run scripts/score-base.ts [folder] [items of a family]
 */
import type { Question } from "../src/data/question.ts"
import { answerAll, scoreOf } from "../src/eval/answers.ts"
import { openBase } from "../src/presets/open-base.ts"
import { openRuntime } from "../src/presets/open-runtime.ts"
import { graphDecoder } from "../src/serve/graph-decoder.ts"
import { families, suiteItems } from "./corpus/corpus.ts"

const folder = process.argv[2] ?? "models/sprig"
const perFamily = Number(process.argv[3] ?? 50)
const { runtime } = await openRuntime("native")
const { base, tokenizer, eosIds } = await openBase(folder)
if (!tokenizer) throw new TypeError(`${folder} has no tokenizer.json`)
const decoder = await graphDecoder({ runtime, base })
const items = suiteItems(1, perFamily)
for (const { name } of families.filter(({ scored }) => scored)) {
  const questions = items
    .filter(({ family }) => family === name)
    .map(
      ({ messages, answer }): Question => ({
        messages: messages.map((message) => ({ ...message })),
        prompt: null,
        answer,
      }),
    )
  const answered = await answerAll(questions, { decoder, tokenizer, eosIds, adapter: null })
  console.log(`${name.padEnd(12)} ${(100 * scoreOf(answered)).toFixed(0).padStart(3)} %`)
}
await decoder.dispose()
await runtime.dispose()
