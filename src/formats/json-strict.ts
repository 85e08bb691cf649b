/**
 * @module JSON of a file that is not trusted: duplicate keys are an error rather than a silent choice, and nesting is
 * bounded before anything is built.
 */
const DEEPEST = 64

/**
 * Parses strict JSON.
 * @throws {SyntaxError} For malformed JSON, a key that comes twice in one object, or nesting deeper than 64.
 */
export function parseStrictJson(text: string): unknown {
  checkKeysAndDepth(text)
  return JSON.parse(text)
}

/** Walks the text once: strings are skipped, keys of each open object collected. */
function checkKeysAndDepth(text: string): void {
  const open: (Set<string> | null)[] = []
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === "{" || c === "[") {
      open.push(c === "{" ? new Set() : null)
      if (open.length > DEEPEST) throw new SyntaxError(`JSON is nested deeper than ${DEEPEST}`)
    } else if (c === "}" || c === "]") open.pop()
    else if (c === '"') {
      const end = endOfString(text, i)
      const keys = open.at(-1)
      if (keys && isKey(text, end + 1)) {
        const key = JSON.parse(text.slice(i, end + 1)) as string
        if (keys.has(key)) throw new SyntaxError(`Key ${JSON.stringify(key.slice(0, 100))} comes twice`)
        keys.add(key)
      }
      i = end
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++
    else if (text[i] === '"') return i
  }
  throw new SyntaxError("JSON ends inside a text")
}

function isKey(text: string, from: number): boolean {
  let i = from
  while (i < text.length && " \t\n\r".includes(text[i]!)) i++
  return text[i] === ":"
}
