/**
 * @module Notes about invented people and towns, questions that they answer or leave open, and requests that need no notes:
 * what retrieval is calibrated and measured by. Names, numbers and wordings are the split's own.
 */
import { rng } from "../../src/core/rng.ts"
import { article, families } from "./corpus.ts"
import type { CorpusMessage, Draw, Split } from "./document.ts"
import { filler } from "./fillers.ts"
import { different, person, town } from "./names.ts"
import { peopleRelations } from "./people.ts"
import { UNKNOWN } from "./reading.ts"
import { statement } from "./statements.ts"
import { townRelations } from "./towns.ts"

/** A note. */
export interface NoteDocument {
  readonly id: string
  readonly title: string
  readonly text: string
}

/** A question or a request. */
export interface RetrievalItem {
  /** `fact`: a note answers it; `unsaid`: a note is about its subject and doesn't; `absent`: none is; `form`: needs none. */
  readonly kind: "fact" | "unsaid" | "absent" | "form"
  readonly messages: readonly CorpusMessage[]
  /** To the letter; null where many would do. */
  readonly answer: string | null
  /** The note that answers it. */
  readonly document: string | null
  /** Whether it needs notes. */
  readonly retrieve: boolean
}

/** Notes, and what is asked over them. */
export interface RetrievalSet {
  readonly documents: readonly NoteDocument[]
  readonly items: readonly RetrievalItem[]
}

/** How much of each. */
export interface RetrievalSizes {
  readonly documents: number
  /** Questions of each kind that can't be answered. */
  readonly open: number
  readonly forms: number
}

/** Families that are about what isn't known, or that only go on in a conversation. */
const noForms = new Set(["unknown", "unknown-alone"])

/** A set; the same seed and split give the same one. */
export function retrievalSet(seed: number, split: Split, sizes: RetrievalSizes): RetrievalSet {
  const d: Draw = { random: rng(seed, `retrieval:${split}`), split }
  const { random } = d
  const documents: NoteDocument[] = []
  const facts: RetrievalItem[] = []
  const unsaid: RetrievalItem[] = []
  const absent: RetrievalItem[] = []
  const asked = (text: string): CorpusMessage[] => [{ role: "user", content: article(text) }]
  const kinds = [
    { name: person, relations: peopleRelations, share: 0.75 },
    { name: town, relations: townRelations, share: 0.25 },
  ]
  for (const { name, relations, share } of kinds) {
    const count = Math.round(sizes.documents * share)
    const missing = Math.ceil(sizes.open * share)
    const names = different(count + missing, () => name(d))
    for (const subject of names.slice(0, count)) {
      const id = `note-${documents.length + 1}`
      const [first, second, third, other] = random.shuffle([...relations])
      const known = random.next() < 0.5 ? [first!, second!] : [first!, second!, third!]
      const said = known.map((relation) => statement(d, relation, subject))
      const sentences = said.map(({ sentence }) => sentence)
      if (random.next() < 0.3) sentences.splice(random.below(sentences.length + 1), 0, filler(d))
      documents.push({ id, title: `Note ${documents.length + 1}`, text: article(sentences.join(" ")) })
      for (const { question, answer } of said)
        facts.push({ kind: "fact", messages: asked(question), answer, document: id, retrieve: true })
      // Home and place are told apart by nobody.
      const clashes = [...known, other!].filter((each) => each.name === "home" || each.name === "place").length > 1
      if (!clashes)
        unsaid.push({
          kind: "unsaid",
          messages: asked(statement(d, other!, subject).question),
          answer: UNKNOWN,
          document: null,
          retrieve: true,
        })
    }
    for (const subject of names.slice(count))
      absent.push({
        kind: "absent",
        messages: asked(statement(d, random.pick(relations), subject).question),
        answer: UNKNOWN,
        document: null,
        retrieve: true,
      })
  }
  const forms = formRequests(d, sizes.forms)
  const open = random.shuffle(unsaid).slice(0, sizes.open)
  return { documents, items: random.shuffle([...facts, ...open, ...absent.slice(0, sizes.open), ...forms]) }
}

/** Families that form rows are made of: some notes answer, some leave the question open. */
const readings = ["reading-1", "reading-1", "reading-2", "reading-3", "unknown"]

/** Notes and a question in, the answer as a JSON object out: rows that teach the form in which programs want answers. */
export function jsonRows(seed: number, split: Split, count: number): { readonly messages: readonly CorpusMessage[] }[] {
  const d: Draw = { random: rng(seed, `retrieval json:${split}`), split }
  return Array.from({ length: count }, () => {
    const name = d.random.pick(readings)
    const document = families.find((family) => family.name === name)!.make(d)
    if (!("messages" in document)) throw new TypeError(`Family ${name} makes conversations`)
    const [question, answer] = document.messages
    return {
      messages: [
        { role: "user", content: article(question!.content) },
        { role: "assistant", content: JSON.stringify({ answer: article(answer!.content) }) },
      ],
    }
  })
}

/** Requests of every other family, their own texts with them; conversations of several turns up to a question. */
function formRequests(d: Draw, count: number): RetrievalItem[] {
  const scored = families.filter(({ name, scored }) => scored && !noForms.has(name))
  return Array.from({ length: count }, (_, i) => {
    const document = scored[i % scored.length]!.make(d)
    if (!("messages" in document)) throw new TypeError("A scored family makes conversations")
    const at = document.messages.findIndex(({ role }) => role === "assistant")
    const messages = document.messages.slice(0, at).map((each) => ({ ...each, content: article(each.content) }))
    return { kind: "form", messages, answer: article(document.messages[at]!.content), document: null, retrieve: false }
  })
}
