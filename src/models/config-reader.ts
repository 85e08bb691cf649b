/**
 * @module Reading a field of config.json: what was expected and what was found, with the field's name.
 */
import { EspalierError } from "../core/errors.ts"

/** A config.json as parsed. */
export type Json = Readonly<Record<string, unknown>>

/** @throws {EspalierError} `invalid_file` if `json` is no object. */
export function asObject(json: unknown, file = "config.json"): Json {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new EspalierError("invalid_file", `${file}: expected a JSON object but found ${describe(json)}`)
  }
  return json as Json
}

/** A whole number of at least 1, or the fallback where the field is absent or null. */
export function count(json: Json, field: string, fallback?: number): number {
  const value = json[field] ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw wrong(field, "a whole number of at least 1", json[field])
  return value as number
}

/** A finite positive number. */
export function positive(json: Json, field: string, fallback?: number): number {
  const value = json[field] ?? fallback
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
    throw wrong(field, "a positive number", json[field])
  return value
}

/** A boolean. */
export function flag(json: Json, field: string, fallback: boolean): boolean {
  const value = json[field] ?? fallback
  if (typeof value !== "boolean") throw wrong(field, "true or false", value)
  return value
}

/** Refuses a field whose value this version can't compute. */
export function expectOneOf(json: Json, field: string, allowed: readonly unknown[], fallback?: unknown): void {
  const value = json[field] ?? fallback
  if (!allowed.includes(value)) {
    throw new EspalierError(
      "unsupported",
      `config.json: ${field} is ${describe(value)}, which this version can't compute`,
      {
        param: field,
        hint: `Supported: ${allowed.map(describe).join(", ")}`,
      },
    )
  }
}

function wrong(field: string, expected: string, found: unknown): EspalierError {
  return new EspalierError(
    "invalid_file",
    `config.json: expected ${field} to be ${expected} but found ${describe(found)}`,
    { param: field },
  )
}

const describe = (value: unknown): string =>
  value === undefined ? "nothing" : (JSON.stringify(value) ?? String(value)).slice(0, 80)
