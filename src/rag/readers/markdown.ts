/**
 * @module Markdown as plain text: marks are taken away, headings keep theirs, since pieces are cut along them.
 */
import { lexer, type Token, type Tokens } from "marked"
import { unescaped } from "./html-strip.ts"

/** The parser takes a time that grows with the square of a paragraph's length: a longer one is taken as plain text. */
const LONGEST_PARAGRAPH = 20_000

/** The text that Markdown says. Blocks are parted by blank lines. */
export function markdownText(markdown: string): string {
  const isPlain = markdown.split(/\n[^\S\n]*\n/).some(({ length }) => length > LONGEST_PARAGRAPH)
  return (isPlain ? markdown : blocks(lexer(markdown))).trim()
}

function blocks(tokens: readonly Token[]): string {
  return tokens
    .map(block)
    .filter((text) => text.trim() !== "")
    .join("\n\n")
}

function block(token: Token): string {
  switch (token.type) {
    case "heading":
      return `${"#".repeat((token as Tokens.Heading).depth)} ${inline(token)}`
    case "code":
      return (token as Tokens.Code).text
    case "blockquote":
      return blocks((token as Tokens.Blockquote).tokens)
    case "list":
      return (token as Tokens.List).items.map((item) => `- ${blocks(item.tokens).replaceAll("\n\n", "\n")}`).join("\n")
    case "table": {
      const { header, rows } = token as Tokens.Table
      return [header, ...rows].map((cells) => cells.map(inline).join(" | ")).join("\n")
    }
    case "html":
      return plain((token as Tokens.HTML).text)
    case "space":
    case "hr":
    case "def":
      return ""
    default:
      return inline(token)
  }
}

/** Text of what stands in a line. */
function inline(token: Token | Tokens.TableCell): string {
  const { tokens, text, raw, type } = token as { tokens?: Token[]; text?: string; raw?: string; type?: string }
  if (type === "br") return "\n"
  if (type === "html") return plain(text ?? "")
  return tokens && tokens.length > 0 ? tokens.map(inline).join("") : unescaped(text ?? raw ?? "")
}

const plain = (html: string): string => unescaped(html.replace(/<[^>]*>/g, ""))
