/**
 * @module Answers held to a format: exactly the texts that parse and fit, whatever the vocabulary is cut into.
 */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { rng } from "../../../../src/core/rng.ts"
import { type AnswerFormat, constrained, createConstraints } from "../../../../src/serve/constrain/constraint.ts"
import type { Tokenizer } from "../../../../src/text/tokenizer-contract.ts"
import { fakeEos, fakeTokenizer, fakeVocab } from "../../../support/fake-tokenizer.ts"
import { fitsSchema } from "../../../support/fits-schema.ts"

/** A tokenizer of these tokens. */
const tokenizerOf = (tokens: readonly string[]): Tokenizer => ({
  ...fakeTokenizer,
  vocabSize: tokens.length,
  isSpecial: () => false,
  tokenBytes: (id) => new TextEncoder().encode(tokens[id]!),
})

const ofSchema = (schema: unknown): AnswerFormat => ({ type: "json_schema", schema })

/** The tokens that may come. */
const allowed = (mask: Uint32Array): number[] =>
  [...mask].flatMap((word, i) => [...Array(32).keys()].filter((bit) => (word >>> bit) & 1).map((bit) => i * 32 + bit))

/** Every text of at most `length` tokens that is let through to its end. */
function accepted(tokens: readonly string[], format: AnswerFormat, length: number): Set<string> {
  const make = createConstraints(tokenizerOf(tokens)).prepare(format, "")
  const texts = new Set<string>()
  const visit = (ids: readonly number[]): void => {
    const constraint = make()
    for (const id of ids) constraint.accept(id)
    if (constraint.complete) texts.add(ids.map((id) => tokens[id]).join(""))
    if (ids.length < length) for (const id of allowed(constraint.mask())) visit([...ids, id])
  }
  visit([])
  return texts
}

/** Every text of at most `length` tokens that passes. */
function every(tokens: readonly string[], length: number, passes: (text: string) => boolean): Set<string> {
  const texts = new Set<string>()
  const visit = (text: string, left: number): void => {
    if (passes(text)) texts.add(text)
    if (left > 0) for (const token of tokens) visit(text + token, left - 1)
  }
  visit("", length)
  return texts
}

/** Whether a text is JSON that fits, with each key once. */
const isValue = (schema: Parameters<typeof fitsSchema>[1]) => (text: string) => {
  try {
    return fitsSchema(JSON.parse(text), schema)
  } catch {
    return false
  }
}

describe("a small vocabulary, exhaustively", () => {
  test("lets through every number and nothing else", () => {
    const tokens = [..."-01.eE+"]
    const passes = (text: string): boolean => isValue({ type: "number" })(text) && !/e[+-]?\d{3}/i.test(text)
    const texts = accepted(tokens, ofSchema({ type: "number" }), 6)
    expect(texts).toEqual(every(tokens, 6, passes))
    expect(texts.size).toBeGreaterThan(500)
  })

  test("lets through every value and nothing else", () => {
    const tokens = [...'[]{}",:1']
    const texts = accepted(tokens, ofSchema({}), 6)
    expect(texts).toEqual(every(tokens, 6, isValue(true)))
    expect(texts).toContain('{"":1}')
  })

  test("lets through every escape of a string and nothing else", () => {
    const tokens = ['"', "\\", "u", "d8", "dc", "00", "n", "é", "\n"]
    // Halves of a pair by themselves parse, but are no text.
    const passes = (text: string): boolean =>
      isValue({ type: "string" })(text) && !text.includes("\n") && JSON.parse(text).isWellFormed()
    const texts = accepted(tokens, ofSchema({ type: "string" }), 6)
    expect(texts).toEqual(every(tokens, 6, passes))
    const pair = accepted(['"', "\\ud8", "\\udc", "00"], ofSchema({ type: "string", maxLength: 1 }), 6)
    expect(pair).toEqual(new Set(['""', '"\\ud800\\udc00"']))
  })

  test("lets through properties in the schema's order, needed ones always", () => {
    const tokens = ["{", "}", '"a":', '"b":', "1", ","]
    const schema = {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" } },
      required: ["b"],
      additionalProperties: false,
    } as const
    const passes = (text: string): boolean =>
      isValue(schema)(text) && !/"b".*"a"|"a".*"a"|"b".*"b"/.test(text) && !/\d{16}/.test(text)
    const texts = accepted(tokens, ofSchema(schema), 7)
    expect(texts).toEqual(every(tokens, 7, passes))
    expect(texts).toContain('{"a":1,"b":1}')
  })

  test("lets through lists of as many items as the schema has, spaces after commas, tokens over several parts", () => {
    const tokens = ["[", "]", "1", ",", ", ", "[1", "1]", "],"]
    const schema = { type: "array", items: { enum: [1, 11] }, minItems: 1, maxItems: 2 } as const
    const texts = accepted(tokens, ofSchema(schema), 6)
    expect(texts).toEqual(every(tokens, 6, isValue(schema)))
    expect(texts).toContain("[1, 11]")
  })
})

describe("random schemas", () => {
  const schemas = fc.letrec<{ any: object }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(
        { type: "integer" },
        { type: "number" },
        { type: "boolean" },
        { type: "null" },
        { type: "object" },
      ),
      fc.record({ type: fc.constant("string"), minLength: fc.nat(2), maxLength: fc.integer({ min: 2, max: 5 }) }),
      fc.uniqueArray(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 4 }).map((values) => ({ enum: values })),
      fc.constant({ anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }] }),
      fc.array(tie("any"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      fc.record({
        type: fc.constant("array"),
        items: tie("any"),
        minItems: fc.nat(1),
        maxItems: fc.integer({ min: 1, max: 3 }),
      }),
      fc
        .tuple(fc.dictionary(fc.string({ maxLength: 3 }), tie("any"), { maxKeys: 3 }), fc.nat(3))
        .map(([properties, needed]) => ({
          type: "object",
          properties,
          required: Object.keys(properties).slice(0, needed),
          additionalProperties: false,
        })),
    ),
  })).any
  const node = {
    type: "object",
    properties: { next: { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }] } },
    required: ["next"],
    additionalProperties: false,
  }

  /** What ends a value soonest, first. */
  const hurry = [...'"}],:ntf0'].map((character) => character.charCodeAt(0))

  test("whatever is written, parses and fits", () => {
    fc.assert(
      fc.property(schemas, fc.nat(), (inner, seed) => {
        // As it comes in a request: plain objects, no -0.
        const schema = JSON.parse(JSON.stringify({ ...inner, $defs: { node } }))
        const constraint = createConstraints(fakeTokenizer).prepare(ofSchema(schema), "")()
        const random = rng(seed, "constraint")
        const bytes: number[] = []
        while (!constraint.done && !(constraint.complete && random.next() < 0.3)) {
          const ids = allowed(constraint.mask())
          expect(ids.length).toBeGreaterThan(0)
          const quick = bytes.length > 60 ? hurry.find((id) => ids.includes(id)) : undefined
          const id = quick ?? ids[Math.floor(random.next() * ids.length)]!
          constraint.accept(id)
          bytes.push(id)
          expect(bytes.length).toBeLessThan(5000)
        }
        const text = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes))
        if (!fitsSchema(JSON.parse(text), schema)) throw new Error(`${text} does not fit ${JSON.stringify(schema)}`)
      }),
      { numRuns: 200, includeErrorInReport: true },
    )
  })

  test("any value can be written, byte by byte", () => {
    const make = createConstraints(fakeTokenizer).prepare(ofSchema({}), "")
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: "small", stringUnit: "binary" }), (value) => {
        // Numbers of more digits or larger exponents are not written.
        const text = JSON.stringify(value, (_, each) => (typeof each === "number" ? Math.round(each % 1e9) : each))
        const constraint = make()
        for (const byte of new TextEncoder().encode(text)) constraint.accept(byte)
        expect(constraint.complete).toBe(true)
      }),
      { numRuns: 200, includeErrorInReport: true },
    )
  })
})

describe("schemas that are refused", () => {
  const refused: readonly [what: string, schema: unknown, message: RegExp][] = [
    ["a keyword that is not held to", { properties: {}, type: "object", minProperties: 1 }, /#\/minProperties/],
    ["one deep inside", { type: "array", items: { type: "string", pattern: "a" } }, /#\/items\/pattern/],
    ["one in a definition", { $ref: "#/$defs/a", $defs: { a: { oneOf: [] } } }, /#\/\$defs\/a\/oneOf/],
    ["no schema", 7, /expected an object/],
    ["no type", { type: "text" }, /#\/type: expected one of/],
    ["a reference elsewhere", { $ref: "https://example.com" }, /#\/\$ref/],
    ["a reference to nothing", { $ref: "#/$defs/toString", $defs: {} }, /toString/],
    ["a schema that is itself", { $ref: "#" }, /nothing more/],
    [
      "one by way of another",
      { anyOf: [{ type: "null" }, { $ref: "#/$defs/a" }], $defs: { a: { $ref: "#" } } },
      /itself/,
    ],
    ["a value without end", { type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, /comes to an end/],
    ["bounds the wrong way round", { type: "string", minLength: 2, maxLength: 1 }, /#\/minLength/],
    ["a length beyond all bounds", { type: "array", maxItems: 1e9 }, /#\/maxItems/],
    ["an empty choice", { enum: [] }, /#\/enum/],
    ["values of another type", { type: "string", enum: [1] }, /no value is of the type/],
    ["a name without a property", { type: "object", properties: {}, required: ["a"] }, /#\/required/],
    ["too many schemas", { anyOf: Array(500).fill({ anyOf: [{}, {}, {}] }) }, /more than 1000 schemas/],
    ["too much text", { enum: ["a".repeat(100_001)] }, /characters/],
    ["too deep", JSON.parse(`${'{"type":"array","items":'.repeat(80)}{}${"}".repeat(80)}`), /levels deep/],
  ]
  for (const [what, schema, message] of refused) {
    test(what, () => {
      const constraints = createConstraints(fakeTokenizer)
      expect(() => constraints.prepare(ofSchema(schema), "")).toThrow(message)
      expect(() => constraints.prepare(ofSchema(schema), "")).toThrow(
        expect.objectContaining({ param: "response_format", status: 400 }),
      )
    })
  }
})

describe("a constraint", () => {
  test("leaves the logits of what fits, in a copy, and end tokens where the value is whole", () => {
    const constraint = createConstraints(fakeTokenizer).prepare(ofSchema({ type: "integer" }), "")()
    const logits = new Float32Array(fakeVocab).fill(1)
    const open = constrained(logits, constraint, [fakeEos])!
    expect(open.filter(Number.isFinite).length).toBe(11)
    constraint.accept(49)
    expect(constrained(logits, constraint, [fakeEos])![fakeEos]).toBe(1)
    expect(open[fakeEos]).toBe(Number.NEGATIVE_INFINITY)
    expect(logits.every((logit) => logit === 1)).toBe(true)
    expect(() => constraint.accept(97)).toThrow("does not fit")
  })

  test("may begin with what the template begins answers with", () => {
    const make = createConstraints(fakeTokenizer).prepare({ type: "json_object" }, " ")
    for (const text of [" {}", "{}"]) {
      const constraint = make()
      for (const byte of new TextEncoder().encode(text)) constraint.accept(byte)
      expect([constraint.complete, constraint.done]).toEqual([true, true])
    }
    expect(() => make().accept(34)).toThrow()
  })

  test("has the same mask, not computed again, where a place comes again", () => {
    const make = createConstraints(fakeTokenizer).prepare(ofSchema({ type: "string" }), "")
    const constraint = make()
    constraint.accept(34)
    const mask = constraint.mask()
    for (let i = 0; i < 1000; i++) constraint.accept(97)
    expect(constraint.mask()).toBe(mask)
  })

  test("of a vocabulary that cannot write the value has nothing left", () => {
    const constraint = createConstraints(tokenizerOf(["a", "b"])).prepare({ type: "json_object" }, "")()
    expect(constrained(new Float32Array(2), constraint, [])).toBeNull()
  })
})
