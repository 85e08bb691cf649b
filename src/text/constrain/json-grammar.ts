/**
 * @module JSON, and the JSON of a schema, as grammars: compact but for one space that may follow a comma or a colon, numbers
 * of bounded length, members in the schema's order. Whatever such a grammar lets through parses, and fits the schema.
 *
 * Source: RFC 8259; JSON Schema 2020-12, the subset of OpenAI's structured outputs.
 */
import { EspalierError } from "../../core/errors.ts"
import { type Expression, Grammar } from "./grammar.ts"

/** A grammar, and where a text begins in it. */
export interface TextGrammar {
  readonly grammar: Grammar
  readonly start: Expression
}

/** Levels of a schema, and alternatives or members of one level, at most. */
const DEEPEST = 32
const WIDEST = 512

/** Keywords that say something to people only. */
const annotations = new Set(["title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs"])

/** Any JSON object, as `response_format: {"type": "json_object"}` wants it. */
export function jsonObjectGrammar(): TextGrammar {
  const grammar = new Grammar()
  return { grammar, start: jsonParts(grammar).object }
}

/**
 * The JSON of a schema.
 * @throws {EspalierError} `unsupported` for a keyword that is not known here, `invalid_request` for a schema that is none; both
 *   name its path
 */
export function jsonSchemaGrammar(schema: unknown): TextGrammar {
  const grammar = new Grammar()
  const parts = jsonParts(grammar)
  const compile = schemaCompiler(grammar, parts, schema)
  grammar.define("#", compile(schema, "schema", 0))
  const definitions = isRecord(schema) && isRecord(schema["$defs"]) ? schema["$defs"] : {}
  for (const [name, definition] of Object.entries(definitions)) {
    const rule = `#/$defs/${name}`
    grammar.define(rule, compile(definition, `schema.$defs.${name}`, 0))
  }
  for (const name of ["#", ...Object.keys(definitions).map((each) => `#/$defs/${each}`)]) {
    if (!grammar.hasText(name))
      throw wrong("schema", `Expected a schema that a value can fit, but ${name} needs itself`)
  }
  return { grammar, start: grammar.rule("#") }
}

interface JsonParts {
  readonly string: Expression
  readonly number: Expression
  readonly integer: Expression
  readonly boolean: Expression
  readonly object: Expression
  readonly array: (item: Expression) => Expression
  readonly value: Expression
  readonly comma: Expression
  readonly colon: Expression
}

function jsonParts(g: Grammar): JsonParts {
  const digit = g.range(0x30, 0x39)
  const hex = g.either(digit, g.range(0x41, 0x46), g.range(0x61, 0x66))
  const tail = g.range(0x80, 0xbf)
  // Well-formed UTF-8 (RFC 3629) without quotes, backslashes and control characters; escapes without halves of pairs.
  const character = g.either(
    g.range(0x20, 0x21),
    g.range(0x23, 0x5b),
    g.range(0x5d, 0x7e),
    g.sequence(g.range(0xc2, 0xdf), tail),
    g.sequence(g.range(0xe0, 0xe0), g.range(0xa0, 0xbf), tail),
    g.sequence(g.either(g.range(0xe1, 0xec), g.range(0xee, 0xef)), tail, tail),
    g.sequence(g.range(0xed, 0xed), g.range(0x80, 0x9f), tail),
    g.sequence(g.range(0xf0, 0xf0), g.range(0x90, 0xbf), tail, tail),
    g.sequence(g.range(0xf1, 0xf3), tail, tail, tail),
    g.sequence(g.range(0xf4, 0xf4), g.range(0x80, 0x8f), tail, tail),
    g.sequence(g.text("\\"), g.oneOf('"\\/bfnrt')),
    g.sequence(g.text("\\u"), g.either(digit, g.oneOf("abcefABCEF")), hex, hex, hex),
    g.sequence(g.text("\\u"), g.oneOf("dD"), g.range(0x30, 0x37), hex, hex),
  )
  const string = g.sequence(g.text('"'), g.many(character), g.text('"'))
  const whole = g.either(g.text("0"), g.sequence(g.range(0x31, 0x39), g.upTo(14, digit)))
  const integer = g.sequence(g.optional(g.text("-")), whole)
  const fraction = g.sequence(g.text("."), digit, g.upTo(14, digit))
  const exponent = g.sequence(g.oneOf("eE"), g.optional(g.oneOf("+-")), digit, g.optional(digit))
  const number = g.sequence(integer, g.optional(fraction), g.optional(exponent))
  const boolean = g.either(g.text("true"), g.text("false"))
  const space = g.optional(g.text(" "))
  const comma = g.sequence(g.text(","), space)
  const colon = g.sequence(g.text(":"), space)
  const listOf = (open: string, item: Expression, close: string): Expression =>
    g.sequence(g.text(open), g.optional(g.sequence(item, g.many(g.sequence(comma, item)))), g.text(close))
  const value = g.rule("value")
  const object = listOf("{", g.sequence(string, colon, value), "}")
  const array = (item: Expression): Expression => listOf("[", item, "]")
  g.define("value", g.either(string, number, boolean, g.text("null"), object, array(value)))
  return { string, number, integer, boolean, object, array, value, comma, colon }
}

type Compile = (schema: unknown, path: string, depth: number) => Expression

function schemaCompiler(g: Grammar, parts: JsonParts, root: unknown): Compile {
  const compile: Compile = (schema, path, depth) => {
    if (!isRecord(schema)) throw wrong(path, "Expected an object")
    if (depth > DEEPEST) throw wrong(path, `Expected at most ${DEEPEST} levels`)
    const { type } = schema
    if (Array.isArray(type)) {
      const rest = (each: unknown): unknown => {
        const own = each === "object" ? objectKeys : each === "array" ? arrayKeys : new Set<string>()
        const isOther = (key: string): boolean => typeKeys.has(key) && !own.has(key)
        return { ...Object.fromEntries(Object.entries(schema).filter(([key]) => !isOther(key))), type: each }
      }
      if (type.length === 0 || type.length > WIDEST) throw wrong(`${path}.type`, "Expected at least one type")
      return g.either(...type.map((each) => compile(rest(each), path, depth + 1)))
    }
    if ("$ref" in schema) return reference(schema, path)
    if ("anyOf" in schema) {
      only(schema, ["anyOf"], path)
      const options = listIn(schema["anyOf"], `${path}.anyOf`)
      return g.either(...options.map((option, i) => compile(option, `${path}.anyOf.${i}`, depth + 1)))
    }
    if ("enum" in schema) {
      only(schema, ["enum", "type"], path)
      return g.either(...listIn(schema["enum"], `${path}.enum`).map((each) => literal(each, type, `${path}.enum`)))
    }
    if ("const" in schema) {
      only(schema, ["const", "type"], path)
      return literal(schema["const"], type, `${path}.const`)
    }
    switch (type) {
      case "string":
      case "number":
      case "integer":
      case "boolean":
        only(schema, ["type"], path)
        return parts[type]
      case "null":
        only(schema, ["type"], path)
        return g.text("null")
      case "array":
        only(schema, ["type", "items"], path)
        return parts.array("items" in schema ? compile(schema["items"], `${path}.items`, depth + 1) : parts.value)
      case "object":
        return object(schema, path, depth)
      case undefined:
        only(schema, [], path)
        return parts.value
      default:
        throw wrong(`${path}.type`, "Expected string, number, integer, boolean, null, array or object")
    }
  }

  const reference = (schema: Record<string, unknown>, path: string): Expression => {
    only(schema, ["$ref"], path)
    const target = schema["$ref"]
    const definitions = isRecord(root) && isRecord(root["$defs"]) ? root["$defs"] : {}
    const name = typeof target === "string" ? /^#\/\$defs\/([^/~%]+)$/.exec(target)?.[1] : undefined
    if (target === "#") return g.rule("#")
    if (name === undefined || !Object.hasOwn(definitions, name))
      throw wrong(`${path}.$ref`, "Expected # or #/$defs/ and the name of a definition")
    return g.rule(`#/$defs/${name}`)
  }

  const literal = (value: unknown, type: unknown, path: string): Expression => {
    if (type !== undefined && !fits(value, type)) throw wrong(path, "Expected values of the schema's own type")
    return g.text(JSON.stringify(value))
  }

  const object = (schema: Record<string, unknown>, path: string, depth: number): Expression => {
    only(schema, ["type", "properties", "required", "additionalProperties"], path)
    const { properties = {}, required = [], additionalProperties } = schema
    if (!isRecord(properties)) throw wrong(`${path}.properties`, "Expected an object")
    if (!Array.isArray(required)) throw wrong(`${path}.required`, "Expected a list")
    const names = Object.keys(properties)
    if (names.length > WIDEST) throw wrong(`${path}.properties`, `Expected at most ${WIDEST} properties`)
    const missing = required.findIndex((name) => typeof name !== "string" || !Object.hasOwn(properties, name))
    if (missing >= 0) throw wrong(`${path}.required.${missing}`, "Expected the name of a property")
    if (additionalProperties !== undefined && additionalProperties !== false) {
      // Members that are not named could be written anywhere: only where there are no others is that plain.
      if (additionalProperties !== true || names.length > 0)
        throw unsupported(`${path}.additionalProperties`, "Expected false")
    }
    if (names.length === 0 && additionalProperties !== false) return parts.object
    /** What may follow before the closing brace, with nothing and with something before it. */
    let [first, later] = [g.empty, g.empty]
    for (const name of names.toReversed()) {
      const value = compile(properties[name], `${path}.properties.${name}`, depth + 1)
      const member = g.sequence(g.text(JSON.stringify(name)), parts.colon, value, later)
      const following = g.sequence(parts.comma, member)
      const isRequired = required.includes(name)
      first = isRequired ? member : g.either(member, first)
      later = isRequired ? following : g.either(following, later)
    }
    return g.sequence(g.text("{"), first, g.text("}"))
  }
  return compile
}

const objectKeys = new Set(["properties", "required", "additionalProperties"])
const arrayKeys = new Set(["items"])
const typeKeys = new Set([...objectKeys, ...arrayKeys])

function only(schema: Record<string, unknown>, allowed: readonly string[], path: string): void {
  const other = Object.keys(schema).find((key) => !allowed.includes(key) && !annotations.has(key))
  if (other !== undefined) throw unsupported(`${path}.${other}`, "This version does not know the keyword here")
}

function listIn(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= WIDEST) return value
  throw wrong(path, `Expected a list of 1 to ${WIDEST} values`)
}

function fits(value: unknown, type: unknown): boolean {
  if (type === "null") return value === null
  if (type === "array") return Array.isArray(value)
  if (type === "object") return isRecord(value)
  if (type === "integer") return Number.isInteger(value)
  return typeof value === type
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const wrong = (path: string, message: string): EspalierError =>
  new EspalierError("invalid_request", `\`${path}\`: ${message}`, { param: path })

const unsupported = (path: string, message: string): EspalierError =>
  new EspalierError("unsupported", `\`${path}\`: ${message}`, { param: path })
