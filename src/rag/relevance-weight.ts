/**
 * @module What the words of a question count for when passages are compared with it.
 */

/** Beyond this many pieces a word is common, however many more there are: counting them all would take longer than the search. */
export const COMMON = 1000

/**
 * What a word that is no name counts for, and one that stands in no piece at all, being of the question's own making: parts
 * of a name's weight. What is asked about is a name more often than not, and other words have synonyms.
 */
const [PLAIN, UNHEARD] = [0.25, 0.1]

/** What a question's word counts for. @param count pieces of the collection that have it */
export const termWeight = (count: number, isName: boolean): number =>
  Math.log(1 + COMMON / (Math.min(count, COMMON) + 0.5)) ** 2 * (isName ? 1 : count > 0 ? PLAIN : UNHEARD)
