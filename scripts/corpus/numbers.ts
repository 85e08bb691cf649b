/**
 * @module Sums and comparisons of whole numbers.
 */
import { type CorpusDocument, type Draw, type Family, type Turn, tasks } from "./document.ts"
import { count, different, person } from "./names.ts"
import { phrased } from "./wording.ts"
import { items } from "./words.ts"

function sumTurn(d: Draw): Turn {
  const a = d.random.below(100)
  const b = d.random.below(100)
  // A pair belongs to one split for good.
  if (((a * 31 + b) % 7 === 0) !== (d.split === "heldout")) return sumTurn(d)
  const question = phrased(d, "sum", [
    `What is ${a} plus ${b}?`,
    `${a} + ${b} =`,
    `Add ${a} and ${b}.`,
    `Sum: ${a} + ${b}`,
    `How much is ${a} + ${b}?`,
    `What is ${a} + ${b}?`,
    `What do you get from ${a} and ${b}?`,
    `How much is ${a} and ${b}?`,
  ])
  return [question, String(a + b)]
}

/** Which of two numbers, or of two people's numbers, is the larger or smaller. */
function comparisonTurn(d: Draw): Turn {
  const [a, b] = different(2, () => count(d)) as [number, number]
  const larger = d.random.next() < 0.5
  const first = a > b === larger
  if (d.random.next() < 0.5) {
    const word = larger ? "larger" : "smaller"
    const question = phrased(d, `larger ${larger}`, [
      `Which is ${word}, ${a} or ${b}?`,
      `Which number is ${word}: ${a} or ${b}?`,
      `${a} or ${b}: which is ${word}?`,
      `Name the ${word} number: ${a}, ${b}`,
      `Give the ${word} one: ${a} or ${b}`,
      `${a} and ${b}: which number is ${word}?`,
      `Tell me which is ${word}, ${a} or ${b}.`,
      `Numbers: ${a}, ${b}. Which is ${word}?`,
      `Of ${a} and ${b}, which is ${word}?`,
      `Which number is ${word}, ${a} or ${b}?`,
    ])
    return [question, String(first ? a : b)]
  }
  const [one, other] = different(2, () => person(d)) as [string, string]
  const item = d.random.pick(items)
  const word = larger ? "more" : "fewer"
  const question = phrased(d, `more ${larger}`, [
    `${one} has ${a} ${item}. ${other} has ${b} ${item}. Who has ${word}?`,
    `${one} has ${a} ${item} and ${other} has ${b}. Who has ${word} ${item}?`,
    `Who has ${word} ${item}? ${one} has ${a}. ${other} has ${b}.`,
    `${one}: ${a} ${item}. ${other}: ${b} ${item}. Who has ${word}?`,
    `${one} keeps ${a} ${item}. ${other} keeps ${b}. Who keeps ${word}?`,
    `${a} ${item} are with ${one}, ${b} with ${other}. Who has ${word}?`,
    `Who has ${word}, ${one} or ${other}? ${one} has ${a} ${item}, ${other} has ${b}.`,
    `${one} found ${a} ${item}, ${other} found ${b}. Who found ${word} ${item}?`,
    `${one} bought ${a} ${item}. ${other} bought ${b} ${item}. Who bought ${word}?`,
    `${one} bought ${a} ${item} and ${other} bought ${b}. Who bought ${word} ${item}?`,
  ])
  return [question, first ? one : other]
}

const sum = (d: Draw): CorpusDocument => tasks("sum", d, 8, () => sumTurn(d))
const comparison = (d: Draw): CorpusDocument => tasks("comparison", d, 5, () => comparisonTurn(d))

export const numberFamilies: readonly Family[] = [
  { name: "sum", weight: 8, scored: true, make: sum },
  { name: "comparison", weight: 5, scored: true, make: comparison },
]
