/**
 * @module Holds live answers to the API document: every answer of JSON that an app gives to a test is one that its document
 * tells of, and has no field that the document lacks.
 */
import type { ApiDocument } from "../../routes/openapi/docs-page.ts"
import { fitsSchema } from "./fits-schema.ts"

/** The parts of a document that answers are held to, every object closed. */
export interface Contract {
  /** @throws {Error} If the answer is not one that the document tells of. */
  check(method: string, path: string, response: Response): Promise<void>
}

/** A document's contract. */
export function contractOf(document: ApiDocument): Contract {
  const closed = close(document) as ApiDocument
  const routes = Object.entries(closed.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  // A path without parameters goes before one with, and one that goes on behind a parameter before one that ends there.
  const rank = (path: string): number => (path.endsWith("}") ? 2 : path.includes("{") ? 1 : 0)
  const steps = (path: string): number => path.split("/").length
  const ordered = routes
    .toSorted((a, b) => rank(a.path) - rank(b.path) || steps(b.path) - steps(a.path))
    .map((route) => ({ ...route, pattern: patternOf(route.path) }))
  const error = closed.components.schemas["Error"]!
  return {
    async check(method, path, response) {
      if (!/^application\/json\b/.test(response.headers.get("content-type") ?? "") || method === "HEAD") return
      const body: unknown = await response.clone().json()
      const route = ordered.find((each) => each.method === method && each.pattern.test(path))
      const told = route?.operation.responses[`${response.status}`]?.content?.["application/json"]?.schema
      const schema = response.status >= 400 ? error : told
      if (schema === undefined) throw new Error(`The document has no ${response.status} of ${method} ${path}`)
      if (fitsSchema(body, schema, closed)) return
      const text = JSON.stringify(body).slice(0, 1000)
      throw new Error(`${method} ${path} answers otherwise than the document says: ${text}`)
    },
  }
}

/** Only ids at the end may hold slashes. */
const patternOf = (path: string): RegExp =>
  new RegExp(
    `^${path
      .replace(/\./g, "\\.")
      .replace(/\{\w+\}$/, ".+")
      .replace(/\{\w+\}/g, "[^/]+")}$`,
  )

/** The same, its objects with the properties that they name and no others. */
function close(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(close)
  if (typeof part !== "object" || part === null) return part
  const inner = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, close(value)]))
  const isShape = inner["type"] === "object" && typeof inner["properties"] === "object" && inner["properties"] !== null
  return isShape && inner["additionalProperties"] === undefined ? { ...inner, additionalProperties: false } : inner
}
