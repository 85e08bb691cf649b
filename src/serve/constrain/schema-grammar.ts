/**
 * @module A JSON schema as a grammar: the part of JSON Schema that OpenAI's structured outputs have, without patterns,
 * formats and ranges of numbers. Properties come in the schema's order. All else is refused, so that whatever is written
 * fits the schema.
 *
 * Sources: https://json-schema.org/draft/2020-12; https://platform.openai.com/docs/guides/structured-outputs.
 */
import { EspalierError } from "../../core/errors.ts"
import type { Expr, Grammar, Rule } from "./grammar.ts"
import { type JsonGrammar, jsonGrammar } from "./json-grammar.ts"

/** Schemas within a schema at most, and how deep they may lie. */
const MOST_SCHEMAS = 1000
const MOST_DEPTH = 32
/** Values of one `enum`, properties of one object, schemas of one `anyOf`. */
const MOST_ENTRIES = 500
/** Characters of all names and values. */
const MOST_TEXT = 100_000
/** The most that a length or a number of items may be. */
const MOST_COUNT = 1_000_000

/** Say something about a value, and don't hold it to anything. */
const annotations = [
  "title",
  "description",
  "default",
  "examples",
  "$schema",
  "$id",
  "$comment",
  "$defs",
  "definitions",
]
const keywordsOf: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "minItems", "maxItems"],
  string: ["minLength", "maxLength"],
  number: [],
  integer: [],
  boolean: [],
  null: [],
}

type Json = Readonly<Record<string, unknown>>

/**
 * The texts that fit a schema.
 * @throws {EspalierError} `invalid_request` if it is no schema, has no value that ends or is too large; `unsupported` if
 *   it asks for what is not held to; with the path, and the param `response_format`
 */
export function schemaGrammar(grammar: Grammar, schema: unknown): Expr {
  return new SchemaReader(grammar, schema).root()
}

class SchemaReader {
  readonly #grammar: Grammar
  readonly #json: JsonGrammar
  readonly #schema: unknown
  /** By reference. */
  readonly #rules = new Map<string, Rule>()
  #count = 0
  #text = 0

  constructor(grammar: Grammar, schema: unknown) {
    this.#grammar = grammar
    this.#json = jsonGrammar(grammar)
    this.#schema = schema
  }

  root(): Expr {
    const root = this.#refer("#", [])
    for (const rule of this.#rules.values())
      if (leadsTo(rule.body!, rule))
        throw wrong(rule.name.slice(2).split("/"), "the definition is itself and nothing more")
    const endless = withoutEnd([...this.#rules.values()])
    if (endless !== null) throw wrong(endless.name.slice(2).split("/"), "no value of it comes to an end")
    return root
  }

  /** The rule of a reference, read when it is first met. */
  #refer(reference: string, path: readonly string[]): Rule {
    const known = this.#rules.get(reference)
    if (known !== undefined) return known
    const rule = this.#grammar.rule(reference)
    this.#rules.set(reference, rule)
    rule.body = this.#read(this.#find(reference, path), reference.slice(2).split("/"))
    return rule
  }

  #find(reference: string, path: readonly string[]): unknown {
    if (reference === "#") return this.#schema
    const [, place, name] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(reference) ?? []
    const defs = isObject(this.#schema) && place !== undefined ? this.#schema[place] : undefined
    const key = name?.replaceAll("~1", "/").replaceAll("~0", "~")
    if (!isObject(defs) || key === undefined || !Object.hasOwn(defs, key))
      throw wrong(path, `expected "#" or a definition such as "#/$defs/name" but found "${reference.slice(0, 100)}"`)
    return defs[key]
  }

  #read(schema: unknown, path: readonly string[]): Expr {
    if (++this.#count > MOST_SCHEMAS) throw wrong([], `it holds more than ${MOST_SCHEMAS} schemas`)
    if (path.length > 2 * MOST_DEPTH) throw wrong([], `it is more than ${MOST_DEPTH} levels deep`)
    if (schema === true) return this.#json.any
    if (!isObject(schema)) throw wrong(path, "expected an object")
    if ("$ref" in schema) {
      this.#allow(schema, ["$ref"], path)
      const { $ref } = schema
      if (typeof $ref !== "string") throw wrong([...path, "$ref"], "expected a text")
      return this.#refer($ref, [...path, "$ref"])
    }
    if ("anyOf" in schema) {
      this.#allow(schema, ["anyOf"], path)
      const options = this.#list(schema["anyOf"], [...path, "anyOf"])
      return this.#grammar.choice(options.map((option, i) => this.#read(option, [...path, "anyOf", String(i)])))
    }
    const types = this.#types(schema, path)
    if ("const" in schema || "enum" in schema) return this.#values(schema, types, path)
    if (types === null) {
      this.#allow(schema, [], path)
      return this.#json.any
    }
    this.#allow(schema, ["type", ...types.flatMap((type) => keywordsOf[type]!)], path)
    return this.#grammar.choice(types.map((type) => this.#typed(type, schema, path)))
  }

  /** What `type` names; `null` without one. */
  #types(schema: Json, path: readonly string[]): readonly string[] | null {
    const type = schema["type"]
    if (type === undefined) return null
    const types = Array.isArray(type) ? this.#list(type, [...path, "type"]) : [type]
    for (const each of types)
      if (typeof each !== "string" || !Object.hasOwn(keywordsOf, each))
        throw wrong([...path, "type"], `expected one of ${Object.keys(keywordsOf).join(", ")}`)
    return [...new Set(types as string[])]
  }

  #values(schema: Json, types: readonly string[] | null, path: readonly string[]): Expr {
    this.#allow(schema, ["type", "const", "enum"], path)
    if ("const" in schema && "enum" in schema) throw wrong(path, "expected either const or enum")
    const values = "const" in schema ? [schema["const"]] : this.#list(schema["enum"], [...path, "enum"])
    const fitting = values.filter((value) => types === null || types.some((type) => isOfType(value, type)))
    if (fitting.length === 0) throw wrong(path, "no value is of the type")
    return this.#grammar.choice([...new Set(fitting.map((value) => this.#spelled(value)))].map(this.#grammar.literal))
  }

  #typed(type: string, schema: Json, path: readonly string[]): Expr {
    const json = this.#json
    if (type === "object") return this.#object(schema, path)
    if (type === "array") {
      const [min, max] = this.#bounds(schema, "minItems", "maxItems", path)
      return json.array("items" in schema ? this.#read(schema["items"], [...path, "items"]) : json.any, min, max)
    }
    if (type === "string") return json.string(...this.#bounds(schema, "minLength", "maxLength", path))
    if (type === "number") return json.number
    if (type === "integer") return json.integer
    return type === "boolean" ? json.boolean : json.null
  }

  #object(schema: Json, path: readonly string[]): Expr {
    const { sequence, choice, literal } = this.#grammar
    const { properties = {}, required = [], additionalProperties: others = true } = schema
    if (!isObject(properties)) throw wrong([...path, "properties"], "expected an object")
    const names = Object.keys(properties)
    if (names.length > MOST_ENTRIES) throw wrong([...path, "properties"], `expected at most ${MOST_ENTRIES}`)
    if (!Array.isArray(required)) throw wrong([...path, "required"], "expected a list")
    const needed = new Set<unknown>(required)
    for (const name of needed)
      if (typeof name !== "string" || !Object.hasOwn(properties, name))
        throw wrong([...path, "required"], "expected names of properties only")
    if (typeof others !== "boolean" && !isObject(others))
      throw wrong([...path, "additionalProperties"], "expected true, false or a schema")
    // Objects that name no property are maps; where some are named, no other is ever written, which fits too.
    if (names.length === 0 && others !== false)
      return others === true
        ? this.#json.anyObject
        : this.#json.map(this.#read(others, [...path, "additionalProperties"]))
    const close = literal("}")
    // What may follow, from the last property back: after another property, and as the first one.
    let [later, first]: [Expr, Expr] = [close, close]
    for (const name of names.reverse()) {
      const value = this.#read(properties[name], [...path, "properties", name])
      const member = sequence(literal(this.#spelled(name)), this.#json.colon, value, later)
      const then = sequence(this.#json.comma, member)
      ;[later, first] = needed.has(name) ? [then, member] : [choice([then, later]), choice([member, first])]
    }
    return sequence(literal("{"), first)
  }

  /** A value as JSON; its length counts. */
  #spelled(value: unknown): string {
    const text = JSON.stringify(value)
    this.#text += text.length
    if (this.#text > MOST_TEXT) throw wrong([], `its names and values have more than ${MOST_TEXT} characters`)
    return text
  }

  #bounds(schema: Json, low: string, high: string, path: readonly string[]): [min: number, max: number] {
    const bound = (key: string, other: number): number => {
      const value = schema[key]
      if (value === undefined) return other
      if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > MOST_COUNT)
        throw wrong([...path, key], `expected a whole number from 0 to ${MOST_COUNT}`)
      return value as number
    }
    const [min, max] = [bound(low, 0), bound(high, Number.POSITIVE_INFINITY)]
    if (min > max) throw wrong([...path, low], `expected at most ${high}, ${max}, but found ${min}`)
    return [min, max]
  }

  #list(value: unknown, path: readonly string[]): readonly unknown[] {
    if (!Array.isArray(value) || value.length === 0 || value.length > MOST_ENTRIES)
      throw wrong(path, `expected a list of 1 to ${MOST_ENTRIES}`)
    return value
  }

  #allow(schema: Json, keywords: readonly string[], path: readonly string[]): void {
    for (const key of Object.keys(schema)) {
      if (keywords.includes(key) || annotations.includes(key)) continue
      throw new EspalierError(
        "unsupported",
        `The schema at ${pointer([...path, key])}: answers can't be held to this`,
        {
          hint: "Leave it out, or check it yourself",
          param: "response_format",
        },
      )
    }
  }
}

/** Whether an expression may be the rule again before any byte. */
function leadsTo(from: Expr, rule: Rule): boolean {
  const seen = new Set<Expr>()
  const todo = [from]
  while (todo.length > 0) {
    const expr = todo.pop()!
    if (expr === rule) return true
    if (seen.has(expr)) continue
    seen.add(expr)
    if (expr.kind === "choice") todo.push(...expr.options)
    if (expr.kind === "rule") todo.push(expr.body!)
  }
  return false
}

/** A rule that no text ever matches to its end, if there is one. */
function withoutEnd(rules: readonly Rule[]): Rule | null {
  const ending = new Set<Rule>()
  // Memory within a round: shared parts are looked at once.
  for (let grown = true; grown; ) {
    grown = false
    const known = new Map<Expr, boolean>()
    const ends = (expr: Expr): boolean => {
      let answer = known.get(expr)
      if (answer === undefined) {
        answer =
          expr.kind === "sequence"
            ? expr.parts.every(ends)
            : expr.kind === "choice"
              ? expr.options.some(ends)
              : expr.kind === "repeat"
                ? expr.min === 0 || ends(expr.part)
                : expr.kind === "rule"
                  ? ending.has(expr)
                  : true
        known.set(expr, answer)
      }
      return answer
    }
    for (const rule of rules) {
      if (ending.has(rule) || !ends(rule.body!)) continue
      ending.add(rule)
      grown = true
    }
  }
  return rules.find((rule) => !ending.has(rule)) ?? null
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "null") return value === null
  if (type === "array") return Array.isArray(value)
  if (type === "object") return isObject(value)
  if (type === "integer") return Number.isInteger(value)
  return typeof value === type
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const pointer = (path: readonly string[]): string => `#/${path.filter((part) => part !== "").join("/")}`

function wrong(path: readonly string[], message: string): EspalierError {
  return new EspalierError("invalid_request", `The schema at ${pointer(path)}: ${message}`, {
    param: "response_format",
  })
}
