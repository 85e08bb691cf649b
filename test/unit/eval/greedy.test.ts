import { expect, test } from "bun:test"
import { decodeGreedy } from "../../../src/eval/greedy.ts"
import { createFakeDecoder, fakeAdapter } from "../../support/fake-decoder.ts"
import { fakeEos } from "../../support/fake-tokenizer.ts"

const PROMPT = [40, 41, 42]

/** A decoder that goes on after the prompt with the given ids, whatever was written: by place, as a text is. */
const reciting = (ids: readonly number[]) =>
  createFakeDecoder({ next: (tokens) => ids[tokens.length - PROMPT.length] ?? fakeEos })

const decode = (decoder: ReturnType<typeof createFakeDecoder>, limit: number, draft?: readonly number[]) =>
  decodeGreedy(PROMPT, { decoder, adapter: null, eosIds: [fakeEos], limit, ...(draft && { draft }) })

test("decodeGreedy() writes the likeliest tokens up to the end token, which is no part of the answer", async () => {
  expect(await decode(reciting([97, 98, 99]), 10)).toEqual([97, 98, 99])
  expect(await decode(reciting([]), 10)).toEqual([])
})

test("decodeGreedy() ends at its limit", async () => {
  expect(await decode(reciting([97, 98, 99]), 2)).toEqual([97, 98])
  expect(await decode(reciting([97, 98, 99]), 2, [97, 98, 99])).toEqual([97, 98])
})

test("a draft that is right costs two runs", async () => {
  const answer = [97, 98, 99, 100, 101, 102]
  const decoder = reciting(answer)
  expect(await decode(decoder, 20, answer)).toEqual(answer)
  expect(decoder.books).toMatchObject({ appends: 2, sequences: 0 })
  const ended = reciting(answer)
  expect(await decode(ended, 20, [...answer, fakeEos, 97])).toEqual(answer)
  expect(ended.books.appends).toBe(2)
})

test("a draft changes nothing of what is written, wherever it goes wrong", async () => {
  for (const adapter of ["one", "two", "three"]) {
    const decoder = createFakeDecoder()
    const bound = await decoder.bind(fakeAdapter(adapter, adapter === "two" ? 3 : 0))
    const options = { decoder, adapter: bound, eosIds: [fakeEos], limit: 12 }
    const plain = await decodeGreedy(PROMPT, options)
    expect(plain).toHaveLength(12)
    for (let right = 0; right <= 12; right++) {
      const draft = [...plain.slice(0, right), fakeEos - 1, 97, 98]
      expect(await decodeGreedy(PROMPT, { ...options, draft })).toEqual(plain)
      expect(await decodeGreedy(PROMPT, { ...options, draft: plain.slice(0, right) })).toEqual(plain)
    }
    expect(decoder.books.sequences).toBe(0)
  }
})

test("a sequence is closed when decoding fails", async () => {
  const decoder = createFakeDecoder({
    next(tokens) {
      if (tokens.length > 4) throw new Error("No more")
      return 97
    },
  })
  await expect(decode(decoder, 10)).rejects.toThrow("No more")
  expect(decoder.books.sequences).toBe(0)
})
