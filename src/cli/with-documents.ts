/**
 * @module `--retrieval` of commands that answer: the same way to the documents that a server goes.
 */
import { type RetrievalMode, retrievalModes } from "../answering/decide.ts"
import { openDocuments } from "../presets/open-documents.ts"
import { openProfile } from "../presets/open-profile.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import { createContext } from "../service/context.ts"
import { DEFAULT_COLLECTION } from "../service/documents-wire.ts"
import { type Retrieved, retrieve } from "../service/retrieval.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { Io, OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { DEFAULT_STORE } from "./serve-store.ts"

/** Whether and where documents are looked at. */
export const retrievalOptions = {
  retrieval: {
    type: "string",
    description: "answer from documents: never, for everything, or where a question needs them",
    choices: retrievalModes,
    default: "off",
  },
  documents: { type: "string", value: "folder", description: "where documents are kept", default: DEFAULT_STORE },
  collection: { type: "string", value: "name", description: "which documents", default: DEFAULT_COLLECTION },
  abstention: {
    type: "string",
    description: "what is said where documents have nothing about a question",
    default: "I don't know.",
  },
} as const

/** Documents to answer from. */
export interface Consulted {
  /** What becomes of a conversation. @throws {EspalierError} `not_found` for a collection that is not there */
  ask(messages: readonly ChatMessage[], adapter: string | null, answerTokens: number): Promise<Retrieved>
  close(): void
}

/**
 * Opens the documents; null where `--retrieval` is off.
 * @param base the base's folder
 * @throws {EspalierError} If they can't be opened.
 */
export async function consulted(
  values: OptionValues<typeof retrievalOptions>,
  engine: EngineApi,
  base: string,
): Promise<Consulted | null> {
  const mode = (values.retrieval ?? "off") as RetrievalMode
  if (mode === "off") return null
  const folder = values.documents ?? DEFAULT_STORE
  const profile = await openProfile({ documents: folder, base, baseHash: engine.info.baseHash })
  const index = await openDocuments({ folder, base })
  const retrieval = { profile, ...(values.abstention !== undefined && { abstention: values.abstention }) }
  const context = createContext({ engine, documents: index, retrieval })
  const collection = values.collection ?? DEFAULT_COLLECTION
  return {
    async ask(messages, adapter, answerTokens) {
      const model = adapter ?? engine.info.base
      // With a mode and a collection named there is always something to tell.
      return (await retrieve(context, { model, retrieval: { mode, collection }, messages, answerTokens }, {}))!
    },
    close: () => index.close(),
  }
}

/** What is told of an answer from documents. */
export type Told = ReturnType<Retrieved["told"]>

/** Where an answer's words stand, a line each. */
export function showSources({ annotations = [] }: Partial<Told>, io: Io): void {
  for (const { file_citation: found } of annotations)
    io.out(printable(`  from ${found.title}, ${found.start}-${found.end}\n`))
}
