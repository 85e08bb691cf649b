/**
 * @module What the router looks at: the form of the question, how well the documents answer to it, and how sure the model
 * is of itself.
 */
import type { Passage } from "../rag/retriever.ts"
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
  /** Begins with a verb that tells to make something of a text. */
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
  "command",
  "material",
  "marks",
  "relevance",
  "bareRelevance",
  "doubt",
  "unknown",
] as const satisfies readonly (keyof Features)[]

const asking =
  /(?:\?\s*$)|^(?:please\s+)?(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|can|could|has|have|tell me|name|say what|say who)\b/i
const commanding =
  /^(?:please\s+|now\s+|can you\s+|could you\s+)?(?:write|rewrite|put|turn|make|give|copy|repeat|say|list|sort|order|extract|find|summari[sz]e|translate|change|shorten|count|add|sum|compare|complete|continue|fill|correct|describe|draft|format|convert|replace|reverse|quote)\b/i

/** The features of a conversation's last question. */
export function featuresOf(messages: readonly ChatMessage[], found: readonly Passage[], draft: Draft): Features {
  const asked = (messages.findLast(({ role }) => role === "user")?.content ?? "").trim()
  const sentences = asked.split(/[.!?:]+(?:\s|$)|\n+/).filter((part) => part.trim() !== "")
  const material = Math.log2(Math.max(1, sentences.length)) / 2
  const relevance = found[0]?.relevance ?? 0
  return {
    question: asking.test(asked) ? 1 : 0,
    command: commanding.test(asked) ? 1 : 0,
    material,
    marks: Math.min(1, (asked.match(/["“”:\n|]/g)?.length ?? 0) / 2),
    relevance,
    bareRelevance: sentences.length <= 2 ? relevance : 0,
    doubt: 1 - Math.exp(draft.meanLogprob),
    unknown: draft.unknown ? 1 : 0,
  }
}
