/**
 * @module Requests of ordinary English that need no documents, though some of them name what documents are about. Each split
 * has its own.
 */
import type { Rng } from "../../src/core/rng.ts"

/** What requests are filled with. */
export interface Materials {
  readonly random: Rng
  /** Something that a note is about. */
  subject(): string
}

type Request = (materials: Materials) => string

const number = (random: Rng, most: number): number => 2 + random.below(most - 2)
const topics = ["autumn", "a lighthouse", "coffee", "the sea", "an old bicycle", "snow", "my grandmother", "a train"]
const sentences = [
  "the meeting is moved to friday because of the storm",
  "I can't come tomorrow, my car is broken",
  "we has received you're letter yesterday",
  "Send me the report by noon or forget it",
  "the soup was cold and nobody cared",
  "Our team fixed the bug after two long nights",
]
const reviews = [
  "The room was clean and the breakfast was wonderful.",
  "I waited an hour and the pizza was burnt.",
  "It broke on the second day. Never again.",
  "Lovely staff, fair prices, we will come back.",
]

/** Of the train split. */
export const trainRequests: readonly Request[] = [
  () => "Hello!",
  () => "Thanks, that was helpful.",
  () => "Good evening, how are you doing?",
  ({ random }) => `Write a short poem about ${random.pick(topics)}.`,
  ({ random }) => `Tell me a bedtime story about ${random.pick(topics)}.`,
  ({ random }) => `Rewrite this politely: ${random.pick(sentences)}`,
  ({ random }) => `Correct the grammar of this sentence: "${random.pick(sentences)}"`,
  ({ random }) => `Translate into French: ${random.pick(sentences)}`,
  ({ random }) => `Is this review positive or negative? ${random.pick(reviews)}`,
  ({ random }) => `Summarise in five words: ${random.pick(sentences)}. ${random.pick(reviews)}`,
  ({ random }) => `What is ${number(random, 90)} plus ${number(random, 90)}?`,
  ({ random }) => `${number(random, 30)} * ${number(random, 30)} = ?`,
  ({ random }) => `Give me ${number(random, 9)} words that rhyme with light.`,
  ({ random }) => `Write a function in Python that sorts ${number(random, 50)} numbers.`,
  ({ random }) => `Put these in alphabetical order: pear, fig, ${random.pick(["apple", "melon", "kiwi"])}, plum`,
  (m) => `Write a slogan for ${m.subject()}.`,
  (m) => `Draft a friendly email that invites Tom to visit ${m.subject()}.`,
  (m) => `Turn this into a JSON object with item and count: We ordered ${number(m.random, 20)} of ${m.subject()}.`,
  (m) =>
    `Here is a note.\nMr Lund called about ${m.subject()}. He wants ${number(m.random, 20)} of them by Monday.\nWho called?`,
  (m) => `Answer like a pirate: I would like to see ${m.subject()}.`,
  ({ random }) => `Count the vowels in "${random.pick(topics)}".`,
  ({ random }) => `Which word does not belong: dog, cat, ${random.pick(["hammer", "bus", "cloud"])}, cow?`,
  ({ random }) => `How would you say "${random.pick(topics)}" more formally?`,
  () => "Can you shorten your last answer?",
]

/** Of the held-out split. */
export const heldoutRequests: readonly Request[] = [
  () => "Hi there",
  () => "Great, thank you so much!",
  () => "What's up?",
  ({ random }) => `Compose a haiku on ${random.pick(topics)}.`,
  ({ random }) => `I'd like a limerick about ${random.pick(topics)}, please.`,
  ({ random }) => `Make this sound friendlier: ${random.pick(sentences)}`,
  ({ random }) => `Fix the spelling: ${random.pick(sentences)}`,
  ({ random }) => `Say this in Spanish: "${random.pick(sentences)}"`,
  ({ random }) => `What is the mood of this text? ${random.pick(reviews)}`,
  ({ random }) => `Condense the following to one line.\n${random.pick(reviews)} ${random.pick(sentences)}.`,
  ({ random }) => `How much is ${number(random, 90)} minus ${number(random, 20)}?`,
  ({ random }) => `Calculate ${number(random, 40)} / ${number(random, 9)}`,
  ({ random }) => `List ${number(random, 9)} synonyms of happy.`,
  ({ random }) => `Show me a regular expression that matches ${number(random, 9)} digits.`,
  ({ random }) => `Sort from small to large: 9, 4, ${number(random, 30)}, 1`,
  (m) => `Come up with a catchy headline for ${m.subject()}.`,
  (m) => `Write a thank-you card to a friend who took you to ${m.subject()}.`,
  (m) => `Extract name and place as JSON: Anna Wells went to ${m.subject()} with ${number(m.random, 20)} friends.`,
  (m) =>
    `Read this: Mrs Ode wrote to us about ${m.subject()}. She needs ${number(m.random, 20)} tickets by Sunday. How many tickets does she need?`,
  (m) => `Speak like Shakespeare: I am going to ${m.subject()} tomorrow.`,
  ({ random }) => `Spell "${random.pick(topics)}" backwards.`,
  ({ random }) => `Is "${random.pick(["running", "table", "quickly"])}" a noun, a verb or an adverb?`,
  ({ random }) => `Give me another word for "${random.pick(["big", "fast", "tired"])}".`,
  () => "Please repeat that in simpler words.",
]
