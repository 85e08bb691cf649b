import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { showSources } from "../../../src/cli/with-documents.ts"
import { runCli } from "../../support/run-cli.ts"

let folder = ""
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "espalier-test-"))
  await mkdir(join(folder, "notes"))
  await writeFile(join(folder, "notes", "tal.txt"), "The mayor of Tal is Mirvos. A plain rabbit ran to the church.")
  expect((await runCli("rag", "add", join(folder, "notes"), "--documents", join(folder, "index"))).code).toBe(0)
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const generate = (...args: readonly string[]) =>
  runCli("generate", ...args, "--documents", join(folder, "index"), "--threads", "1", "--max-tokens", "8")

test("generate --retrieval answers from documents, and tells how", async () => {
  const { records, err } = await generate("Who is the mayor of Tal?", "--retrieval", "always", "--json")
  expect(err).toBe("")
  const [reply] = records as [
    { text: string; usage: { prompt_tokens: number }; retrieval: object; annotations: unknown[] },
  ]
  expect(reply.retrieval).toMatchObject({ mode: "always", retrieved: true, passages: [{ start: 0, end: 61 }] })
  expect(reply.usage.prompt_tokens).toBeGreaterThan(15)
  expect(Array.isArray(reply.annotations)).toBe(true)
}, 30_000)

test("generate --retrieval abstains where documents have nothing, and asks no model", async () => {
  expect((await generate("Who is the mayor of Zandor?", "--retrieval", "always")).out).toBe("I don't know.\n")
}, 30_000)

test("what is said where documents have nothing is one's own to say", async () => {
  const { out } = await generate("Who is the mayor of Zandor?", "--retrieval", "always", "--abstention", "No idea.")
  expect(out).toBe("No idea.\n")
}, 30_000)

test("long passages leave an answer its room, where nobody says how long it may be", async () => {
  await writeFile(join(folder, "long.txt"), Array.from({ length: 60 }, (_, i) => `The tower ${i} is tall.`).join(" "))
  const index = ["--documents", join(folder, "long"), "--threads", "1"]
  expect((await runCli("rag", "add", join(folder, "long.txt"), ...index.slice(0, 2))).code).toBe(0)
  const asked = ["Where is the tall tower?", "--retrieval", "always", "--json"]
  const { records, err } = await runCli("generate", ...asked, ...index)
  expect(err).toBe("")
  const [reply] = records as [{ usage: { prompt_tokens: number } }]
  expect(reply.usage.prompt_tokens).toBeGreaterThan(256)
}, 30_000)

test("without --retrieval nothing is told of it", async () => {
  const [reply] = (await generate("What colour is snow?", "--json")).records
  expect(Object.keys(reply!)).toEqual(["text", "finish_reason", "usage"])
}, 30_000)

test("documents need a conversation, and a collection that is there", async () => {
  const raw = await generate("Once", "--raw", "--retrieval", "auto")
  expect([raw.code, raw.err]).toEqual([2, expect.stringContaining("Leave out --raw, or --retrieval")])
  const none = await generate("Who?", "--retrieval", "auto", "--collection", "plants")
  expect([none.code, none.err]).toEqual([3, expect.stringContaining('There is no collection "plants"')])
}, 30_000)

test("sources are shown with their places, and nothing of what a title could do to a terminal", () => {
  const written: string[] = []
  const io = { isTerminal: false, columns: () => 80, out: (text: string) => written.push(text), err() {}, env: {} }
  const place = { document_id: "d", title: "Tal\u001b[2J", chunk: 0, start: 3, end: 30 }
  showSources({ annotations: [{ type: "file_citation", file_citation: place }] }, io)
  showSources({}, io)
  const shown = written.join("")
  expect(shown).not.toContain("\u001b")
  expect(shown).toMatch(/^ {2}from Tal.*, 3-30\n$/)
})
