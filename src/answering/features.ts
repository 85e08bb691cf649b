/**
 * @module What the router looks at: the form of the question, how well the documents answer to it, and how sure the model
 * is of itself.
 */
import type { Passage } from "../rag/retriever.ts"
import { nameTerms } from "../rag/search-terms.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"

/** The beginning of what the model would say by itself. */
export interface Draft {
  readonly text: string
  /** Mean of its tokens' log-probabilities, in nats; 0 is certain. */
  readonly meanLogprob: number
  /** Whether it says that it doesn't know. */
  readonly unknown: boolean
}

/** Numbers of about the same size, by name. */
export interface Features {
  /** Asks for something: a question mark, or words that questions begin with. */
  readonly question: number
  /** Names somebody or something, and brings no text of its own that the name might be from. */
  readonly named: number
  /** Begins with a verb that tells to make something. */
  readonly command: number
  /** Brings a text of its own: its sentences beyond the first, on a logarithmic scale. */
  readonly material: number
  /** Quotes, colons and line breaks, as those have that hand over a text. */
  readonly marks: number
  /** Of the best passage. */
  readonly relevance: number
  /** Of the best passage, where it brings no text of its own: a question about a name that documents have. */
  readonly bareRelevance: number
  /** How unsure the draft is, from 0 to 1. */
  readonly doubt: number
  /** 1 where the draft says that it doesn't know. */
  readonly unknown: number
}

/** Every feature's name, in the order of a router's weights. */
export const featureNames = [
  "question",
  "named",
  "command",
  "material",
  "marks",
  "relevance",
  "bareRelevance",
  "doubt",
  "unknown",
] as const satisfies readonly (keyof Features)[]

/** What people say before they say what they want. */
const preamble =
  "(?:(?:please|now|ok|okay|so|hey|hi|hello|well)[,!.:]?\\s+)*(?:(?:can|could|would|will) you (?:please )?|i(?:'d| would) like you to |i want you to |help me (?:to )?)?"
const questionWords =
  "who(?:'s|se|m)?|what(?:'s)?|when(?:'s)?|where(?:'s)?|which|why|how|is|are|was|were|do|does|did|can|could|has|have|tell me|name|say (?:what|who|which|where|when|how)|i(?:'d like| would like| need| want) to know|i wonder"
const makingWords =
  "write|rewrite|rephrase|reword|paraphrase|put|turn|make|give me|copy|repeat|say|speak|talk|answer like|list|sort|order|arrange|extract|find|highlight|summari[sz]e|condense|shorten|expand|translate|change|count|add|sum|calculate|compute|solve|compare|classify|label|rate|complete|continue|finish|fill|correct|fix|proofread|improve|polish|describe|draft|compose|create|generate|invent|imagine|design|come up with|think of|suggest|brainstorm|format|convert|replace|remove|reverse|spell|quote|act as|pretend|play|tell (?:me )?a|show"
const asking = new RegExp(`\\?\\s*$|^${preamble}(?:${questionWords})\\b`, "i")
const commanding = new RegExp(`^${preamble}(?:${makingWords})\\b`, "i")

/** Words with a capital or a digit that name nothing that a document would be about: numbers, days, months, "I". */
const nameless =
  /^(?:\d+|i|ll|ve|mr|mrs|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|may|june|july|august|september|october|november|december)$/

/** The features of a conversation's last question. */
export function featuresOf(messages: readonly ChatMessage[], found: readonly Passage[], draft: Draft): Features {
  const asked = (messages.findLast(({ role }) => role === "user")?.content ?? "").trim()
  const sentences = asked.split(/[.!?:]+(?:\s|$)|\n+/).filter((part) => part.trim() !== "")
  const material = Math.log2(Math.max(1, sentences.length)) / 2
  const relevance = found[0]?.relevance ?? 0
  return {
    question: asking.test(asked) ? 1 : 0,
    named: sentences.length <= 2 && [...nameTerms(asked)].some((name) => !nameless.test(name)) ? 1 : 0,
    command: commanding.test(asked) ? 1 : 0,
    material,
    marks: Math.min(1, (asked.match(/["“”:\n|]/g)?.length ?? 0) / 2),
    relevance,
    bareRelevance: sentences.length <= 2 ? relevance : 0,
    doubt: 1 - Math.exp(draft.meanLogprob),
    unknown: draft.unknown ? 1 : 0,
  }
}
