/**
 * @module `espalier serve` as a process of its own that can be killed, with the official client for it.
 */
import OpenAI from "openai"
import { type ServedProcess, spawnServed } from "../../scripts/torture/served.ts"

/** A server in a process. */
export interface Served extends ServedProcess {
  readonly client: OpenAI
}

/** Starts a server over a store and waits until it listens. */
export async function startServed(store: string, ...options: readonly string[]): Promise<Served> {
  const served = await spawnServed("--store", store, ...options)
  return { ...served, client: new OpenAI({ apiKey: "none", baseURL: `${served.url}/v1`, maxRetries: 0 }) }
}
