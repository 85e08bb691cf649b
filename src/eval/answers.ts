/**
 * @module Greedy answers to held-out questions, and how many of them are right to the letter.
 */
import type { Question } from "../data/question.ts"
import type { BoundAdapter, Decoder } from "../serve/decoder.ts"
import { answerLead, encodeChat } from "../text/chat.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"
import { decodeGreedy } from "./greedy.ts"

/** What answers are made with. */
export interface Answerer {
  readonly decoder: Decoder
  readonly tokenizer: Tokenizer
  readonly eosIds: readonly number[]
  readonly adapter: BoundAdapter | null
}

/** A question, what was answered, and whether it is the answer wanted. */
export interface Answered {
  readonly question: Question
  readonly answer: string
  readonly right: boolean
}

/** Tokens beyond the wanted answer's that an answer may run on for. */
const SLACK = 8

/** The prompt of a question: by the chat template where the base has one, as plain text elsewhere. */
function promptIds(question: Pick<Question, "messages" | "prompt" | "tools">, tokenizer: Tokenizer): readonly number[] {
  const { messages, tools } = question
  if (tokenizer.hasChatTemplate)
    return encodeChat(tokenizer, messages, { addGenerationPrompt: true, ...(tools && { tools }) }).ids
  return tokenizer.encode(question.prompt ?? question.messages.map(({ content }) => content).join("\n"), {
    addSpecial: true,
  })
}

/**
 * The text of a greedy answer, trimmed, at most a little longer than the longest of `expected`; null where question and
 * answer don't fit the base's context.
 * @param expected answers that may come, at least one, the likeliest first: it is tried as a draft
 */
export async function answerText(
  question: Pick<Question, "messages" | "prompt" | "tools">,
  expected: readonly string[],
  { decoder, tokenizer, eosIds, adapter }: Answerer,
): Promise<string | null> {
  const prompt = promptIds(question, tokenizer)
  const lead = answerLead(tokenizer)
  const [draft = [], ...others] = expected.map((text) => tokenizer.encode(`${lead}${text}`, { parseSpecial: false }))
  const longest = Math.max(draft.length, ...others.map(({ length }) => length))
  const room = decoder.info.contextLength - prompt.length - (adapter?.virtualTokens ?? 0)
  if (room < longest) return null
  const limit = Math.min(room, longest + SLACK)
  return tokenizer.decode(await decodeGreedy(prompt, { decoder, adapter, eosIds, limit, draft })).trim()
}

/** One greedy answer. A question that doesn't fit the context is answered by nothing. */
export async function answerGreedy(question: Question, answerer: Answerer): Promise<Answered> {
  const answer = (await answerText(question, [question.answer], answerer)) ?? ""
  return { question, answer, right: answer === question.answer.trim() }
}

/** Answers to all questions. */
export async function answerAll(questions: readonly Question[], answerer: Answerer): Promise<Answered[]> {
  const answered: Answered[] = []
  for (const question of questions) answered.push(await answerGreedy(question, answerer))
  return answered
}

/** The part of answers that are right, from 0 to 1; 0 for none. */
export const scoreOf = (answered: readonly Answered[]): number =>
  answered.length === 0 ? 0 : answered.filter(({ right }) => right).length / answered.length
