/**
 * @module Keys and values of prompts that were read before, in blocks of tokens, so that what many requests begin with is
 * computed once. A block is found by everything before it as well: the tokens themselves, compared and not hashed, under
 * a scope that tells apart what must not be mixed (an adapter's content, a tenant).
 *
 * Source: vLLM's automatic prefix caching, https://docs.vllm.ai/en/stable/design/prefix_caching.html
 */

/** Tokens of a block: a prompt is found up to a multiple of this. */
export const BLOCK = 16

interface Node {
  readonly parent: Map<string, Node>
  readonly key: string
  readonly data: Float32Array
  readonly children: Map<string, Node>
}

/** Blocks up to a number of bytes; the least recently used go first. */
export class PrefixCache {
  readonly #maxBytes: number
  readonly #scopes = new Map<string, Map<string, Node>>()
  /** From the least to the most recently used; a block is never used less recently than those that follow it. */
  readonly #used = new Set<Node>()
  #bytes = 0

  /** @param maxBytes 0 keeps nothing */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * The blocks that a prompt begins with.
   * @param scope what must be equal beside the tokens
   * @returns for each block of {@link BLOCK} tokens what {@link store} was given
   */
  find(scope: string, tokens: readonly number[]): readonly Float32Array[] {
    const path = this.#path(scope, tokens)
    this.#touch(path)
    return path.map(({ data }) => data)
  }

  /**
   * Keeps the whole blocks of a sequence.
   * @param read the keys and values of positions [from, to), called for blocks that are new
   */
  store(scope: string, tokens: readonly number[], read: (from: number, to: number) => Float32Array): void {
    const path = this.#path(scope, tokens)
    let children = path.at(-1)?.children ?? this.#scopes.get(scope) ?? new Map<string, Node>()
    const fresh: Node[] = []
    let bytes = 0
    for (let from = path.length * BLOCK; from + BLOCK <= tokens.length; from += BLOCK) {
      const data = read(from, from + BLOCK)
      bytes += data.byteLength
      // More than may be held at all would only drive out what is of use.
      if (bytes > this.#maxBytes) break
      const node: Node = { parent: children, key: keyOf(tokens, from), data, children: new Map() }
      fresh.push(node)
      children = node.children
    }
    // Room is made before anything is linked: what is in use now is younger than all that may have to go.
    this.#touch(path)
    const limit = this.#maxBytes - fresh.reduce((sum, { data }) => sum + data.byteLength, 0)
    this.#evict(limit, new Set(path))
    if (this.#bytes > limit) return
    for (const node of fresh) {
      node.parent.set(node.key, node)
      this.#bytes += node.data.byteLength
    }
    if (fresh.length > 0 && path.length === 0) this.#scopes.set(scope, fresh[0]!.parent)
    this.#touch([...path, ...fresh])
  }

  /** Forgets everything. */
  clear(): void {
    this.#scopes.clear()
    this.#used.clear()
    this.#bytes = 0
  }

  #path(scope: string, tokens: readonly number[]): Node[] {
    const path: Node[] = []
    let children = this.#scopes.get(scope)
    for (let from = 0; children && from + BLOCK <= tokens.length; from += BLOCK) {
      const node = children.get(keyOf(tokens, from))
      if (!node) break
      path.push(node)
      children = node.children
    }
    return path
  }

  /** Deepest first, so that a block stays younger than what follows it. */
  #touch(path: readonly Node[]): void {
    for (const node of [...path].reverse()) {
      this.#used.delete(node)
      this.#used.add(node)
    }
  }

  #evict(limit: number, spared: ReadonlySet<Node>): void {
    for (const node of this.#used) {
      if (this.#bytes <= limit) return
      if (spared.has(node)) continue
      this.#used.delete(node)
      node.parent.delete(node.key)
      this.#bytes -= node.data.byteLength
    }
    for (const [scope, children] of this.#scopes) if (children.size === 0) this.#scopes.delete(scope)
  }
}

const keyOf = (tokens: readonly number[], from: number): string => tokens.slice(from, from + BLOCK).join(",")
