/**
 * @module Greedy answers to held-out questions, and how many of them are right to the letter.
 */
import type { Question } from "../data/question.ts"
import type { BoundAdapter, Decoder } from "../serve/decoder.ts"
import { argmax } from "../serve/sampling.ts"
import { encodeChat } from "../text/chat.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"

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
function promptIds(question: Question, tokenizer: Tokenizer): readonly number[] {
  if (tokenizer.hasChatTemplate) return encodeChat(tokenizer, question.messages, { addGenerationPrompt: true }).ids
  return tokenizer.encode(question.prompt ?? question.messages.map(({ content }) => content).join("\n"), {
    addSpecial: true,
  })
}

/** One greedy answer, at most a little longer than the one wanted. */
export async function answerGreedy(
  question: Question,
  { decoder, tokenizer, eosIds, adapter }: Answerer,
): Promise<Answered> {
  const prompt = promptIds(question, tokenizer)
  const room = decoder.info.contextLength - prompt.length - (adapter?.virtualTokens ?? 0)
  const limit = Math.min(room, tokenizer.encode(question.answer).length + SLACK)
  if (limit < 1) return { question, answer: "", right: false }
  const sequence = await decoder.open(adapter, prompt.length + (adapter?.virtualTokens ?? 0) + limit)
  const ids: number[] = []
  let logits = await sequence.append(prompt)
  while (ids.length < limit) {
    const id = argmax(logits)
    if (eosIds.includes(id)) break
    ids.push(id)
    if (ids.length < limit) logits = await sequence.append([id])
  }
  sequence.close()
  const answer = tokenizer.decode(ids).trim()
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
