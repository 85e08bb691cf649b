import { beforeAll, expect, test } from "bun:test"
import { encodeDocument, packDocuments } from "../../../scripts/base/documents.ts"
import { conversation } from "../../../scripts/corpus/document.ts"
import { IGNORE } from "../../../src/data/batch.ts"
import { openBase } from "../../../src/presets/open-base.ts"
import type { Tokenizer } from "../../../src/text/tokenizer-contract.ts"

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = (await openBase("models/sprig")).tokenizer!
})

const talk = conversation("talk", [
  ["Who?", "Me."],
  ["When?", "Now."],
])

test("of a conversation every token is learned, or what the assistant says with the token that ends it", () => {
  const { ids, labels } = encodeDocument(tokenizer, talk, "all")
  expect(labels).toEqual(ids)
  const answers = encodeDocument(tokenizer, talk, "answers")
  expect(answers.ids).toEqual(ids)
  const learned = answers.labels.filter((id) => id !== IGNORE)
  expect(learned).toEqual([...tokenizer.encode(" Me."), 1, ...tokenizer.encode(" Now."), 1])
})

test("a text is learned whole and ended", () => {
  const { ids, labels } = encodeDocument(tokenizer, { kind: "text", text: "It rains." }, "answers")
  expect(ids).toEqual([...tokenizer.encode(" It rains."), tokenizer.eosId!])
  expect(labels).toEqual(ids)
})

test("documents are laid whole into rows, with a separator between; the first token of a row is not learned; too long ones are left out", () => {
  const document = (length: number, id: number) => ({ ids: Array(length).fill(id), labels: Array(length).fill(id) })
  const [batch, ...rest] = packDocuments([document(3, 5), document(10, 6), document(4, 7), document(5, 8)], 2, 9, 99)
  expect(rest).toEqual([])
  expect([...batch!.ids]).toEqual([5, 5, 5, 99, 8, 8, 8, 8, 8, 7, 7, 7, 7, 0, 0, 0, 0, 0])
  const _ = IGNORE
  expect([...batch!.labels]).toEqual([_, 5, 5, _, 8, 8, 8, 8, 8, _, 7, 7, 7, _, _, _, _, _])
  expect(batch).toMatchObject({ rows: 2, length: 9, tokens: 13, labelled: 10 })
})
