/**
 * @module API keys: what each may do and whose it is. Keys are kept as sha256, so a file of them opens nothing.
 */
import * as v from "valibot"
import { checked } from "./check.ts"

/** What a key may do. `admin` may do everything. */
export const scopes = ["infer", "train", "admin"] as const

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number]

/** A key, without the key. */
export interface KeyFacts {
  /** For logs. */
  readonly name: string
  /** Whose it is; null for the operator's own, who sees everybody's adapters. */
  readonly tenant: string | null
  readonly scopes: readonly Scope[]
}

/** Finds what a key may do. */
export interface Keyring {
  /** @returns null for a key that is not known */
  find(key: string): Promise<KeyFacts | null>
}

const plainName = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "Expected up to 63 lower-case letters, digits, dashes and underscores"),
)

/** A file of keys. */
export const keyFile = v.strictObject({
  keys: v.pipe(
    v.array(
      v.strictObject({
        name: plainName,
        sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "Expected 64 hex digits: the key's sha256")),
        scopes: v.pipe(v.array(v.picklist(scopes)), v.minLength(1)),
        tenant: v.optional(plainName),
      }),
    ),
    v.minLength(1),
    v.maxLength(10_000),
  ),
})

interface HashedKey {
  readonly digest: Uint8Array
  readonly facts: KeyFacts
}

/** The keys of a file. @param json its parsed content. @throws {EspalierError} `invalid_request` naming the field */
export function readKeyring(json: unknown): Keyring {
  const { keys } = checked(keyFile, json)
  return keyringOf(
    keys.map(({ name, sha256, scopes, tenant }) => ({
      digest: Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(sha256.slice(2 * i, 2 * i + 2), 16)),
      facts: { name, tenant: tenant ?? null, scopes },
    })),
  )
}

/** One key of the operator's that may do everything. */
export function singleKey(key: string): Keyring {
  const facts: KeyFacts = { name: "default", tenant: null, scopes: ["admin"] }
  const keyring = digestOf(key).then((digest) => keyringOf([{ digest, facts }]))
  return { find: async (given) => (await keyring).find(given) }
}

/** Asks one keyring after the other. */
export function joinKeyrings(keyrings: readonly Keyring[]): Keyring {
  return {
    async find(key) {
      const found = await Promise.all(keyrings.map((keyring) => keyring.find(key)))
      return found.find((facts) => facts !== null) ?? null
    },
  }
}

function keyringOf(keys: readonly HashedKey[]): Keyring {
  return {
    async find(key) {
      const digest = await digestOf(key)
      let found: KeyFacts | null = null
      // Every key is looked at, whichever fits, so that the time tells nothing.
      for (const each of keys) if (equal(digest, each.digest)) found = each.facts
      return found
    },
  }
}

/** Digests have one length, so that comparing them tells nothing of the key's. */
async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
}

/** Looks at every byte, whatever the first ones are. */
function equal(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length
  for (let i = 0; i < left.length; i++) difference |= left[i]! ^ right[i]!
  return difference === 0
}
