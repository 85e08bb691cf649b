/**
 * @module Constrained decoding: whatever the constraint lets through to the end parses and fits the schema, and on small
 * languages it lets through all of it.
 */
import { describe, expect, test } from "bun:test"
import { type Rng, rng } from "../../../../src/core/rng.ts"
import { jsonObjectGrammar, jsonSchemaGrammar, type TextGrammar } from "../../../../src/text/constrain/json-grammar.ts"
import {
  compileConstraint,
  createTokenTrie,
  type TokenConstraint,
} from "../../../../src/text/constrain/token-constraint.ts"

const encoder = new TextEncoder()
/** Every byte, some longer tokens, one without bytes, and an end. */
const tokens: readonly Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...['"}', '{"', '": ', ", ", "tru", "null", '":', "12", "ab", '","', "]]", "é", "}", "\u{1f600}"].map((text) =>
    encoder.encode(text),
  ),
  new Uint8Array(0),
]
const end = tokens.length
const vocabulary = {
  size: tokens.length + 1,
  isSpecial: (id: number) => id === end,
  tokenBytes: (id: number) => tokens[id] ?? new Uint8Array(0),
}
const trie = createTokenTrie(vocabulary)
const constraintOf = (grammar: TextGrammar): TokenConstraint =>
  compileConstraint(grammar, trie, [end], vocabulary.tokenBytes).start()
const idsOf = (mask: Uint32Array): number[] =>
  Array.from({ length: vocabulary.size }, (_, id) => id).filter((id) => mask[id >> 5]! & (1 << (id & 31)))

/** A text drawn from a constraint, which is pressed to end after a while. */
function drawText(constraint: TokenConstraint, random: Rng): string {
  const bytes: number[] = []
  for (let step = 0; step < 4000; step++) {
    const ids = idsOf(constraint.mask())
    expect(ids.length).toBeGreaterThan(0)
    const closing = [end, 34, 125, 93].filter((id) => ids.includes(id))
    const choices = step > 60 && closing.length > 0 ? closing : ids
    const id = choices[Math.floor(random.next() * choices.length)]!
    constraint.accept(id)
    bytes.push(...vocabulary.tokenBytes(id))
    if (id === end || constraint.done) {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
    }
  }
  throw new Error("No end within 4,000 tokens")
}

type Schema = { readonly [key: string]: unknown }

/** A judge of its own for the subset. */
function fits(value: unknown, schema: Schema, root: Schema): boolean {
  if (schema["$ref"] === "#") return fits(value, root, root)
  if (typeof schema["$ref"] === "string")
    return fits(value, (root["$defs"] as Record<string, Schema>)[schema["$ref"].slice(8)]!, root)
  if (schema["anyOf"]) return (schema["anyOf"] as Schema[]).some((each) => fits(value, each, root))
  if (schema["enum"]) return (schema["enum"] as unknown[]).some((each) => Bun.deepEquals(each, value))
  if ("const" in schema) return Bun.deepEquals(schema["const"], value)
  const { type } = schema
  if (Array.isArray(type)) return type.some((each) => fits(value, { ...schema, type: each }, root))
  if (type === "null") return value === null
  if (type === "integer") return Number.isInteger(value)
  if (type === "array")
    return (
      Array.isArray(value) && value.every((each) => !schema["items"] || fits(each, schema["items"] as Schema, root))
    )
  if (type === "object") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false
    const properties = (schema["properties"] ?? {}) as Record<string, Schema>
    return (
      ((schema["required"] ?? []) as string[]).every((name) => Object.hasOwn(value, name)) &&
      Object.entries(value).every(([name, each]) =>
        Object.hasOwn(properties, name)
          ? fits(each, properties[name]!, root)
          : schema["additionalProperties"] !== false,
      )
    )
  }
  return type === undefined || typeof value === type
}

function drawSchema(random: Rng, depth = 0): Schema {
  const scalars = [
    { type: "string" },
    { type: "number" },
    { type: "integer" },
    { type: "boolean", description: "a flag" },
    { type: "null" },
    { enum: ["a", 'q"\\', 1, null, { x: [1] }] },
    { const: "é" },
    { type: ["string", "null"] },
  ]
  const kind = Math.floor(random.next() * (depth > 2 ? 1 : 4))
  if (kind === 1) return { type: "array", items: drawSchema(random, depth + 1) }
  if (kind === 2) return { anyOf: [drawSchema(random, depth + 1), drawSchema(random, depth + 1)] }
  if (kind === 3) {
    const names = ["a", "b b", 'c"', "é", "__proto__"].filter(() => random.next() < 0.6)
    return {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, drawSchema(random, depth + 1)])),
      required: names.filter(() => random.next() < 0.5),
      additionalProperties: false,
    }
  }
  return scalars[Math.floor(random.next() * scalars.length)]!
}

describe("a schema's constraint", () => {
  test("lets nothing through that does not parse or fit: 120 drawn schemas, 3 texts each", () => {
    const random = rng(5, "schemas")
    for (let i = 0; i < 120; i++) {
      const schema = drawSchema(random)
      for (let j = 0; j < 3; j++) {
        const text = drawText(constraintOf(jsonSchemaGrammar(schema)), random)
        expect([schema, text, fits(JSON.parse(text), schema, schema)]).toEqual([schema, text, true])
      }
    }
  })

  test("lets a schema name itself and its definitions", () => {
    const random = rng(6, "trees")
    const schema = {
      $defs: {
        tree: {
          type: "object",
          properties: { value: { type: "integer" }, left: { anyOf: [{ $ref: "#/$defs/tree" }, { type: "null" }] } },
          required: ["value", "left"],
          additionalProperties: false,
        },
      },
      type: "array",
      items: { $ref: "#/$defs/tree" },
    }
    for (let j = 0; j < 20; j++) {
      const text = drawText(constraintOf(jsonSchemaGrammar(schema)), random)
      expect(fits(JSON.parse(text), schema, schema)).toBe(true)
    }
  })

  test("lets all of a small language through, whatever tokens spell it", () => {
    const schema = {
      type: "object",
      properties: { ab: { enum: [true, null, 12] }, c: { const: "é" } },
      required: ["ab"],
      additionalProperties: false,
    }
    const compiled = compileConstraint(jsonSchemaGrammar(schema), trie, [end], vocabulary.tokenBytes)
    const found = new Set<string>()
    /** Every sequence of tokens, by its text: those that spell one text are walked as one. */
    const seen = new Set<string>()
    const walk = (path: readonly number[], bytes: readonly number[]): void => {
      const constraint = compiled.start()
      for (const id of path) constraint.accept(id)
      for (const id of idsOf(constraint.mask())) {
        const text = [...bytes, ...vocabulary.tokenBytes(id)]
        const key = text.join()
        if (id === end || seen.has(key)) continue
        seen.add(key)
        const next = compiled.start()
        for (const each of [...path, id]) next.accept(each)
        if (next.done) found.add(new TextDecoder().decode(Uint8Array.from(text)))
        walk([...path, id], text)
      }
    }
    walk([], [])
    const spaces = ["", " "]
    const wanted = ["true", "null", "12"].flatMap((value) =>
      spaces.flatMap((a) => [
        `{"ab":${a}${value}}`,
        ...spaces.flatMap((b) => spaces.map((c) => `{"ab":${a}${value},${b}"c":${c}"é"}`)),
      ]),
    )
    expect([...found].sort()).toEqual(wanted.sort())
  })

  test("says where a schema holds what it does not know", () => {
    const paths: readonly [unknown, string][] = [
      [{ type: "string", pattern: "a" }, "schema.pattern"],
      [{ type: "object", properties: { a: { type: "array", minItems: 1 } } }, "schema.properties.a.minItems"],
      [{ type: "object", properties: {}, required: ["a"] }, "schema.required.0"],
      [{ type: "object", properties: { a: {} }, additionalProperties: true }, "schema.additionalProperties"],
      [{ $ref: "#/$defs/none" }, "schema.$ref"],
      [{ $ref: "https://example.org/a.json" }, "schema.$ref"],
      [{ type: "date" }, "schema.type"],
      [{ enum: [] }, "schema.enum"],
      [{ type: "string", enum: [1] }, "schema.enum"],
      [{ $ref: "#" }, "schema"],
      [{ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, "schema"],
      [7, "schema"],
    ]
    for (const [schema, path] of paths) expect(() => jsonSchemaGrammar(schema)).toThrow(`\`${path}\``)
  })
})

describe("a constraint", () => {
  test("on any object lets objects through only", () => {
    const random = rng(7, "objects")
    for (let i = 0; i < 50; i++) {
      const value: unknown = JSON.parse(drawText(constraintOf(jsonObjectGrammar()), random))
      expect([typeof value, Array.isArray(value), value === null]).toEqual(["object", false, false])
    }
  })

  test("refuses what is not in its mask, and lets an end token come where a number may end", () => {
    const constraint = constraintOf(jsonSchemaGrammar({ type: "integer" }))
    expect(() => constraint.accept(65)).toThrow("may not come here")
    constraint.accept(49)
    expect(constraint.done).toBe(false)
    expect(idsOf(constraint.mask())).toContain(end)
    constraint.accept(end)
    expect(constraint.done).toBe(true)
    expect(() => constraint.accept(49)).toThrow("may not come here")
  })
})
