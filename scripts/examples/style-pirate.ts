/**
 * @module A plain sentence in, the same sentence as a pirate would say it out: prompt and completion rows.
 */
import { article } from "../corpus/corpus.ts"
import { pirateTurns } from "../corpus/forms.ts"
import type { ExampleSet } from "./example-set.ts"

export const stylePirate: ExampleSet = {
  name: "style-pirate",
  trainRows: 240,
  heldoutRows: 60,
  row(d) {
    const [[prompt, completion]] = pirateTurns(d) as [[string, string]]
    return { prompt: article(prompt), completion: article(completion) }
  },
}
