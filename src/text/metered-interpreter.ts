/**
 * @module Jinja's interpreter with a budget: every node that it evaluates is counted, and what a filter or method would
 * make is reckoned before it makes it, as one call can take a hundred thousand texts of megabytes, or write out a list that
 * holds another twice, and that one another twice, 60 times over.
 *
 * It goes between steps of `@huggingface/jinja` that its types keep private; their names are those of its source.
 */
import { type Environment, Interpreter, type parse } from "@huggingface/jinja"

/** What may be spent on one rendering. */
export interface RenderBudget {
  /** Nodes evaluated. A message costs some tens of them, in templates with tools a few hundred. @default {1_000_000} */
  readonly steps?: number
  /** Characters of any text on the way. @default {16_777_216} */
  readonly characters?: number
}

/** Stops an evaluation. Not an EspalierError, since a template may be at fault as well as a conversation. */
export class OverBudget extends Error {}

/** Items of any list on the way, or of a value with all that it holds. */
export const MAX_ITEMS = 100_000
/** What one iteration of a loop costs beside its nodes: the interpreter makes a scope and a `loop` object for each. */
const ITERATION = 10
/** Nodes inside nodes: far less than what would overflow the stack, which takes seconds. */
const MAX_DEPTH = 1000
/** Characters and items that cost as much as a node. */
const CHARACTERS_A_STEP = 256
const ITEMS_A_STEP = 64
/** Most characters that JSON makes of one. */
const ESCAPED = 6

interface Value {
  readonly type: string
  value: unknown
}
interface Node {
  readonly type: string
  readonly [field: string]: unknown
}
type Arguments = readonly [readonly Value[], ReadonlyMap<string, Value>]
type Call = (args: Value[], environment: Environment) => Value

/** The interpreter's steps, as they are in its source. */
interface Steps {
  run(program: ReturnType<typeof parse>): Value
  evaluate(node: Node | undefined, environment: Environment): Value
  evaluateBlock(statements: readonly Node[], environment: Environment): Value
  evaluateArguments(args: readonly Node[], environment: Environment): Arguments
  evaluateMemberExpression(node: Node, environment: Environment): Value
  evaluateSliceExpression(object: Value, node: Node, environment: Environment): Value
  applyFilter(operand: Value, filter: Node, environment: Environment): Value
}
const Open = Interpreter as unknown as new (environment: Environment) => Steps

/** What is known of a text, list or mapping before it is written out. */
interface Weight {
  readonly items: number
  readonly characters: number
  readonly depth: number
}

/** The interpreter, which throws {@link OverBudget} rather than take more than its budget. */
export class MeteredInterpreter extends Open {
  #left: number
  #depth = 0
  readonly #characters: number
  readonly #iterables = new WeakSet<object>()
  /** Nodes whose value is made a text. */
  readonly #texts = new WeakSet<object>()
  /** Members that are being looked up: whose, and its value once it is there. */
  readonly #members: { readonly node: unknown; value: Value | null }[] = []
  /** A filter whose arguments are not evaluated yet. */
  #filter: { readonly name: string; readonly operand: Value } | null = null

  constructor(environment: Environment, { steps = 1_000_000, characters = 2 ** 24 }: RenderBudget) {
    super(environment)
    this.#left = steps
    this.#characters = characters
  }

  override evaluate(node: Node | undefined, environment: Environment): Value {
    this.#spend(1)
    if (++this.#depth > MAX_DEPTH) throw new OverBudget("it calls itself too deeply")
    if (node) this.#mark(node)
    let result: Value
    try {
      result = super.evaluate(node, environment)
    } finally {
      // Also where `break` and `continue`, which are exceptions, leave nodes behind.
      this.#depth--
    }
    const member = this.#members.at(-1)
    if (member && member.node === node) member.value = result
    this.#count(result.value, node !== undefined && this.#iterables.has(node))
    if (node && this.#texts.has(node)) this.#written(result)
    return result
  }

  override evaluateBlock(statements: readonly Node[], environment: Environment): Value {
    for (const statement of statements) this.#texts.add(statement)
    return super.evaluateBlock(statements, environment)
  }

  override evaluateArguments(args: readonly Node[], environment: Environment): Arguments {
    const filter = this.#filter
    this.#filter = null
    const found = super.evaluateArguments(args, environment)
    if (filter) this.#beforeFilter(filter.name, filter.operand, found)
    return found
  }

  override applyFilter(operand: Value, filter: Node, environment: Environment): Value {
    const takes = filter.type === "CallExpression"
    const name = String(takes ? (filter["callee"] as Node)["value"] : filter["value"])
    if (!takes) this.#beforeFilter(name, operand, [[], new Map()])
    this.#filter = takes ? { name, operand } : null
    try {
      return super.applyFilter(operand, filter, environment)
    } finally {
      this.#filter = null
    }
  }

  override evaluateMemberExpression(node: Node, environment: Environment): Value {
    const member = { node: node["object"], value: null as Value | null }
    this.#members.push(member)
    let found: Value
    try {
      found = super.evaluateMemberExpression(node, environment)
    } finally {
      this.#members.pop()
    }
    const object = member.value
    if (found.type !== "FunctionValue" || !object) return found
    const call = found.value as Call
    // A method is a value as any other: it is called with whatever, and wherever it was carried to.
    const guarded: Call = (args, scope) => {
      this.#beforeMethod(object, args)
      return call(args, scope)
    }
    return new (found.constructor as new (call: Call) => Value)(guarded)
  }

  override evaluateSliceExpression(object: Value, node: Node, environment: Environment): Value {
    if (typeof object.value === "string") this.#spend(Math.floor(object.value.length / ITEMS_A_STEP))
    return super.evaluateSliceExpression(object, node, environment)
  }

  #spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new OverBudget("it takes too many steps")
  }

  /** Notes what will become of the values of a node's parts. */
  #mark(node: Node): void {
    if (node.type === "For") {
      // The interpreter sets up every iteration, even of an empty body, before it evaluates any.
      const iterable = node["iterable"] as Node
      this.#iterables.add(iterable).add((iterable["lhs"] as object | undefined) ?? iterable)
    }
    // Also `==`: JavaScript compares a list with a text by what it writes for it.
    if (node.type === "BinaryExpression") this.#texts.add(node["left"] as object).add(node["right"] as object)
  }

  /** Counts a value by its own size. */
  #count(value: unknown, iterated: boolean): void {
    if (typeof value === "string") {
      this.#fits(value.length)
      this.#spend(Math.floor(value.length / CHARACTERS_A_STEP))
    } else if (Array.isArray(value) || value instanceof Map) {
      const items = Array.isArray(value) ? value.length : value.size
      fewItems(items)
      this.#spend(iterated ? items * ITERATION : Math.floor(items / ITEMS_A_STEP))
    }
  }

  #fits(characters: number): void {
    if (characters > this.#characters) throw new OverBudget("it writes too long a text")
  }

  /** Counts a list or mapping with all that it holds, as often as it holds it, before it is written out. */
  #written({ value }: Value): void {
    if (Array.isArray(value) || value instanceof Map) this.#weigh(value)
  }

  /** A value with all that it holds. @throws {OverBudget} If that is too much, after no more work than the limits */
  #weigh(value: unknown): Weight {
    let [items, characters, deepest] = [0, 0, 0]
    const open: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const { value: found, depth } = at
      deepest = Math.max(deepest, depth)
      if (typeof found === "string") characters += found.length
      else if (Array.isArray(found)) for (const item of found) open.push({ value: inner(item), depth: depth + 1 })
      else if (found instanceof Map)
        for (const [key, item] of found) {
          characters += String(key).length
          open.push({ value: inner(item), depth: depth + 1 })
        }
      items++
      this.#fits(characters)
      fewItems(items + open.length)
    }
    this.#spend(Math.floor(items / ITEMS_A_STEP) + Math.floor(characters / CHARACTERS_A_STEP))
    return { items, characters, depth: deepest }
  }

  #beforeFilter(name: string, operand: Value, [args, named]: Arguments): void {
    const { value } = operand
    if (name === "replace") this.#beforeReplace(value, args)
    if (name === "indent" && typeof value === "string") {
      const width = args[0] ?? named.get("width")
      this.#fits(value.length + pieces(value, "\n") * (width ? numberOf(width) : 4))
    }
    if (name === "join") {
      const { items, characters } = this.#weigh(value)
      fewItems(typeof value === "string" ? value.length : items)
      const separator = args[0] ?? named.get("separator")
      this.#fits(characters + Math.max(items, characters) * (separator ? lengthOf(separator) : 0))
    }
    if (name === "tojson" || name === "string") {
      const { items, characters, depth } = this.#weigh(value)
      const separators = named.get("separators")?.value
      const longest = Array.isArray(separators) ? separators.reduce((sum, each) => sum + lengthOf(each as Value), 0) : 4
      const indent = named.get("indent")
      const padding = indent?.value ? numberOf(indent) * (depth + 1) : 0
      this.#fits(characters * ESCAPED + items * (longest + padding))
    }
    if (name === "sort") this.#beforeSort(value)
  }

  #beforeMethod({ value }: Value, args: readonly Value[]): void {
    if (typeof value === "string") {
      // Which method it is, is not said. What `replace` and `split` would make, any other takes without harm.
      if (args.length > 1) this.#beforeReplace(value, args)
      const separator = args[0]?.value
      if (args.length < 3) pieces(value, typeof separator === "string" && separator !== "" ? separator : null)
    } else this.#beforeSort(value)
  }

  /** Items are compared by their texts, in lower case, some `log2(items)` times each. */
  #beforeSort(value: unknown): void {
    if (!Array.isArray(value) && !(value instanceof Map)) return
    const { items, characters } = this.#weigh(value)
    this.#spend(Math.ceil(Math.log2(items + 1)) * (Math.floor(items / 16) + Math.floor(characters / CHARACTERS_A_STEP)))
  }

  #beforeReplace(value: unknown, [from, to]: readonly Value[]): void {
    if (typeof value !== "string" || typeof from?.value !== "string" || typeof to?.value !== "string") return
    const found = from.value === "" ? value.length + 1 : count(value, from.value)
    this.#spend(Math.floor(found / ITEMS_A_STEP))
    this.#fits(value.length + found * to.value.length)
  }
}

const inner = (item: unknown): unknown => (item as Value | undefined)?.value
const lengthOf = ({ value }: Value): number => (typeof value === "string" ? value.length : 0)
const numberOf = ({ value }: Value): number => (typeof value === "number" && value > 0 ? value : 0)

function fewItems(items: number): void {
  if (items > MAX_ITEMS) throw new OverBudget(`it makes a list of more than ${MAX_ITEMS} items`)
}

/** How often a text holds another one. */
function count(text: string, part: string): number {
  let found = 0
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) found++
  return found
}

/** Pieces that a text falls into at a separator, or at white space. @throws {OverBudget} If they are too many */
function pieces(text: string, separator: string | null): number {
  let found = 1
  const next =
    separator === null
      ? words(text)
      : (from: number) => {
          const at = text.indexOf(separator, from)
          return at === -1 ? -1 : at + separator.length
        }
  for (let at = next(0); at !== -1; at = next(at)) fewItems(++found)
  return found
}

/** Ends of words, one after the other. */
function words(text: string): (from: number) => number {
  const word = /\S+/g
  return () => (word.test(text) ? word.lastIndex : -1)
}
