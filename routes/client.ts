/**
 * @module A typed client for a running server: every route with what it takes and answers, known from the app's own types.
 * It loads nothing of the server, so it also runs in a browser.
 */
import { hc } from "hono/client"
import type { ChatCompletionChunk, ErrorBody } from "../src/service/wire.ts"
import type { App } from "./app.ts"

/** How a server is reached. */
export interface ClientOptions {
  /** What the server asks for as a key. */
  readonly apiKey?: string
  /** @default the runtime's own */
  readonly fetch?: typeof fetch
}

/**
 * The routes of a server, each path a step: `client.v1.models.$get()`.
 * @param url of the server, without `/v1`
 */
export function createClient(url: string, { apiKey, fetch }: ClientOptions = {}) {
  return hc<App>(url, {
    ...(apiKey !== undefined && { headers: { authorization: `Bearer ${apiKey}` } }),
    ...(fetch && { fetch }),
  })
}

/** The client's type. */
export type Client = ReturnType<typeof createClient>

/**
 * What a streamed answer says, piece by piece: of `stream: true` requests, and of a job's events.
 * @throws {Error} With the server's message where it refuses, or where the stream breaks.
 */
export async function* readStream<Chunk = ChatCompletionChunk>(
  response: Pick<Response, "ok" | "status" | "body" | "text">,
): AsyncGenerator<Chunk, void, undefined> {
  if (!response.ok || response.body === null)
    throw new Error(messageOf(await response.text()) ?? `HTTP ${response.status}`)
  const decoder = new TextDecoder()
  let rest = ""
  for await (const bytes of response.body) {
    const events = (rest + decoder.decode(bytes, { stream: true })).split("\n\n")
    rest = events.pop()!
    for (const event of events) {
      // Comments only keep the line open.
      if (!event.startsWith("data: ")) continue
      const data = event.slice(6)
      if (data === "[DONE]") return
      const message = messageOf(data)
      if (message !== null) throw new Error(message)
      yield JSON.parse(data)
    }
  }
}

/** The message of an error body, or null where it is none. */
function messageOf(text: string): string | null {
  try {
    const { error } = JSON.parse(text) as Partial<ErrorBody>
    return error?.message ?? null
  } catch {
    return null
  }
}
