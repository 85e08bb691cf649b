/**
 * @module Which of the passages that a model was shown its answer rests on: those that hold words of the answer that the
 * question did not bring.
 */
import type { Passage } from "../rag/retriever.ts"
import { searchTerms } from "../rag/search-terms.ts"

/** The passages that an answer can be found in, those that hold most of it first. */
export function citedPassages(answer: string, question: string, passages: readonly Passage[]): Passage[] {
  const asked = wordsOf(question)
  const said = [...wordsOf(answer)].filter((word) => !asked.has(word))
  return passages
    .map((passage) => {
      const held = wordsOf(passage.text)
      return { passage, words: said.filter((word) => held.has(word)).length }
    })
    .filter(({ words }) => words > 0)
    .sort((a, b) => b.words - a.words)
    .map(({ passage }) => passage)
}

/** Every word of a text, as searches compare them. */
const wordsOf = (text: string): Set<string> => new Set(text.split(/\s+/).flatMap((word) => searchTerms(word)))
