/**
 * @module A note in, the drawer it belongs to out: Alpaca rows with four labels. The base names drawers where it is told to, and
 * often by itself ("staff"); the label in full ("staff drawer") is what these rows teach.
 */
import { article } from "../corpus/corpus.ts"
import { drawerTurns } from "../corpus/forms.ts"
import type { ExampleSet } from "./example-set.ts"

export const labelsDesk: ExampleSet = {
  name: "labels-desk",
  trainRows: 240,
  heldoutRows: 60,
  row(d) {
    const [[note, drawer]] = drawerTurns(d) as [[string, string]]
    return { instruction: "Which drawer is this note for?", input: article(note), output: `${drawer} drawer` }
  },
}
