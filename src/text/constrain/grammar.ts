/**
 * @module Context-free grammars over bytes, read by derivatives: what may follow a byte is an expression again. Equal
 * expressions are one object, so that expressions are the states of an automaton which is built as far as it is walked.
 *
 * Source: Brzozowski, "Derivatives of Regular Expressions" (1964); Might et al., "Parsing with Derivatives" (2011).
 */

/** An expression: a state of the automaton. */
export interface Expression {
  /** Distinct for distinct expressions of one grammar. */
  readonly id: number
  /** Whether the text may end here. */
  readonly nullable: boolean
  /** The next state by byte; filled as it is asked for. */
  readonly next: Map<number, Expression>
  readonly node: Node
}

type Node =
  | { readonly type: "nothing" }
  | { readonly type: "empty" }
  | { readonly type: "bytes"; readonly low: number; readonly high: number }
  | { readonly type: "sequence"; readonly first: Expression; readonly rest: Expression }
  | { readonly type: "either"; readonly options: readonly Expression[] }
  | { readonly type: "many"; readonly of: Expression }
  | { readonly type: "rule"; readonly name: string }

/** Builds expressions and walks them. Rules may name one another, and are never empty. */
export class Grammar {
  readonly #known = new Map<string, Expression>()
  readonly #rules = new Map<string, Expression>()
  /** No text at all. */
  readonly nothing = this.#make("0", false, { type: "nothing" })
  /** The empty text. */
  readonly empty = this.#make("1", true, { type: "empty" })

  #make(key: string, nullable: boolean, node: Node): Expression {
    const known = this.#known.get(key)
    if (known) return known
    const made: Expression = { id: this.#known.size, nullable, next: new Map(), node }
    this.#known.set(key, made)
    return made
  }

  /** One byte from `low` to `high`. */
  range(low: number, high: number): Expression {
    return this.#make(`b${low}-${high}`, false, { type: "bytes", low, high })
  }

  /** A text, in UTF-8. */
  text(text: string): Expression {
    return this.sequence(...[...new TextEncoder().encode(text)].map((byte) => this.range(byte, byte)))
  }

  /** One of these characters, all of them ASCII. */
  oneOf(characters: string): Expression {
    return this.either(...[...characters].map((each) => this.text(each)))
  }

  /** One after the other. */
  sequence(...parts: readonly Expression[]): Expression {
    return parts.reduceRight((rest, first) => this.#pair(first, rest), this.empty)
  }

  #pair(first: Expression, rest: Expression): Expression {
    if (first === this.nothing || rest === this.nothing) return this.nothing
    if (first === this.empty) return rest
    if (rest === this.empty) return first
    // Leaning to the right, equal sequences look alike.
    if (first.node.type === "sequence") return this.#pair(first.node.first, this.#pair(first.node.rest, rest))
    const nullable = first.nullable && rest.nullable
    return this.#make(`s${first.id},${rest.id}`, nullable, { type: "sequence", first, rest })
  }

  /** Any of them. */
  either(...parts: readonly Expression[]): Expression {
    const flat = parts.flatMap((part) => (part.node.type === "either" ? part.node.options : [part]))
    const options = [...new Set(flat)].filter((part) => part !== this.nothing).sort((a, b) => a.id - b.id)
    if (options.length < 2) return options[0] ?? this.nothing
    const nullable = options.some((option) => option.nullable)
    return this.#make(`e${options.map(({ id }) => id).join()}`, nullable, { type: "either", options })
  }

  /** It, or the empty text. */
  optional(part: Expression): Expression {
    return this.either(this.empty, part)
  }

  /** Any number of times, none too. */
  many(of: Expression): Expression {
    return of === this.empty || of === this.nothing ? this.empty : this.#make(`m${of.id}`, true, { type: "many", of })
  }

  /** Up to `most` times. */
  upTo(most: number, part: Expression): Expression {
    let made = this.empty
    for (let i = 0; i < most; i++) made = this.optional(this.sequence(part, made))
    return made
  }

  /** What `define` gives the name `name`, now or later. */
  rule(name: string): Expression {
    return this.#make(`r${name}`, false, { type: "rule", name })
  }

  /** @throws {RangeError} for a rule that may be empty */
  define(name: string, body: Expression): void {
    if (body.nullable) throw new RangeError(`Expected rule ${name} to have at least one byte`)
    this.#rules.set(name, body)
  }

  isDefined(name: string): boolean {
    return this.#rules.has(name)
  }

  /** Whether the rule of this name has any text: of what needs itself there is none. */
  hasText(name: string): boolean {
    const good = new Set<string>()
    const has = ({ node }: Expression): boolean => {
      switch (node.type) {
        case "nothing":
          return false
        case "sequence":
          return has(node.first) && has(node.rest)
        case "either":
          return node.options.some(has)
        case "rule":
          return good.has(node.name)
        default:
          return true
      }
    }
    for (let before = -1; before < good.size; ) {
      before = good.size
      for (const [each, body] of this.#rules) if (has(body)) good.add(each)
    }
    return good.has(name)
  }

  /** What may follow `byte`; `nothing` if it may not stand here. */
  after(expression: Expression, byte: number): Expression {
    const known = expression.next.get(byte)
    if (known) return known
    // A rule that stands first in itself adds no text by that: it ends here.
    expression.next.set(byte, this.nothing)
    const made = this.#derive(expression.node, byte)
    expression.next.set(byte, made)
    return made
  }

  #derive(node: Node, byte: number): Expression {
    switch (node.type) {
      case "nothing":
      case "empty":
        return this.nothing
      case "bytes":
        return byte >= node.low && byte <= node.high ? this.empty : this.nothing
      case "sequence": {
        const after = this.#pair(this.after(node.first, byte), node.rest)
        return node.first.nullable ? this.either(after, this.after(node.rest, byte)) : after
      }
      case "either":
        return this.either(...node.options.map((option) => this.after(option, byte)))
      case "many":
        return this.#pair(this.after(node.of, byte), this.many(node.of))
      case "rule":
        return this.after(this.#rules.get(node.name)!, byte)
    }
  }
}
