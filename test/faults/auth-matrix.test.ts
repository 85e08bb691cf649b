/**
 * @module Every route, by every kind of key, in every way of writing its path, over both servers: a path that is written
 * otherwise lets nobody in whom the plain one keeps out.
 */
import { afterAll, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { routeScopes } from "../../routes/scopes.ts"
import { sendRaw } from "../../scripts/torture/raw-http.ts"
import { serveBun } from "../../src/entry/http-bun.ts"
import { serveNode } from "../../src/entry/http-node.ts"
import { readKeyring, type Scope } from "../../src/service/keyring.ts"
import { createFakeApp } from "../support/fake-app.ts"

const closers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closers) await close()
})

const keys: Readonly<Record<string, readonly Scope[]>> = {
  reader: ["infer"],
  trainer: ["train"],
  both: ["infer", "train"],
  root: ["admin"],
}
const keyring = readKeyring({
  keys: Object.entries(keys).map(([name, scopes]) => ({
    ...{ name, scopes },
    sha256: createHash("sha256").update(`sk-${name}`).digest("hex"),
  })),
})

/** Ways of writing a path. */
const tricks: Readonly<Record<string, (path: string) => string>> = {
  plain: (path) => path,
  "two slashes": (path) => `/${path}`,
  "a slash behind": (path) => `${path}/`,
  "slashes in percent": (path) => `/${path.slice(1).replaceAll("/", "%2F")}`,
  "slashes in percent, lower case": (path) => `/${path.slice(1).replaceAll("/", "%2f")}`,
  "backslashes in percent": (path) => `/${path.slice(1).replaceAll("/", "%5C")}`,
  backslashes: (path) => `/${path.slice(1).replaceAll("/", "\\")}`,
  "capital letters": (path) => path.toUpperCase(),
  "a letter in percent": (path) => `/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`,
  "twice in percent": (path) => `/%25${path.charCodeAt(1).toString(16)}${path.slice(2)}`,
  "a way round": (path) => `/health/..${path}`,
  "a way round in percent": (path) => `/health/%2e%2e${path}`,
  "a way round, slash in percent": (path) => `/health/..%2F${path.slice(1)}`,
  "a query": (path) => `${path}?path=/health`,
  "a semicolon": (path) => `${path};/health`,
  "a zero": (path) => `${path}%00`,
}

/** 401, 403 or whatever somebody gets who is let in. */
type Outcome = "401" | "403" | "in"

for (const [server, serve] of [
  ["Bun.serve", serveBun],
  ["node:http", serveNode],
] as const) {
  test(`over ${server}, a path is open to whom its route is, however it is written`, async () => {
    const app = await createFakeApp({ keyring })
    const listening = await serve(app.fetch, "127.0.0.1", 0)
    closers.push(() => listening.kill())
    const url = `http://127.0.0.1:${listening.port}`
    const ask = async (method: string, path: string, key: string | null): Promise<Outcome> => {
      const headers = key === null ? {} : { authorization: `Bearer sk-${key}` }
      const { end, status, text } = await sendRaw({ url, method, path, headers })
      expect([method, path, end]).toEqual([method, path, "whole"])
      expect([method, path, status >= 200 && status < 500]).toEqual([method, path, true])
      expect(text).not.toMatch(/\.ts:\d+|node_modules/)
      return status === 401 || status === 403 ? (`${status}` as Outcome) : "in"
    }
    const wrong: string[] = []
    for (const [route, scope] of Object.entries(routeScopes)) {
      const [method, pattern] = route.split(" ") as [string, string]
      const path = pattern.replace(/:\w+(\{[^}]*\})?/g, "x")
      for (const [trick, write] of Object.entries(tricks)) {
        const isPlain = trick === "plain" || trick === "a query"
        for (const key of [null, "wrong", ...Object.keys(keys)]) {
          const may =
            scope === "open" || (key !== null && [...(keys[key] ?? [])].some((own) => own === scope || own === "admin"))
          const stranger = key === null || key === "wrong"
          const found = await ask(method, write(path), key)
          const keptOut = stranger ? "401" : "403"
          const allowed: readonly Outcome[] = isPlain ? [may ? "in" : keptOut] : may ? ["in", keptOut] : [keptOut]
          if (!allowed.includes(found)) wrong.push(`${key} ${method} ${write(path)} (${trick}): ${found}`)
          if (key === "root" && found !== "in") wrong.push(`root is kept out of ${method} ${write(path)}`)
        }
      }
    }
    expect(wrong).toEqual([])
  }, 60_000)
}
