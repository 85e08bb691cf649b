/**
 * @module Writes the parts of docs/cli.md that the commands themselves know: each command's help, between its markers.
 * `bun run scripts/write-docs.ts`; a house test compares.
 */
import { readFile, writeFile } from "node:fs/promises"
import { helpOf } from "../src/cli/command.ts"
import { commands } from "../src/cli/main.ts"

/** The section of a command, markers included. */
export async function helpSection(name: string): Promise<string> {
  return `<!-- help ${name} -->\n\n\`\`\`text\n${helpOf(await commands[name]!.load())}\n\`\`\`\n\n<!-- end -->`
}

/** A document with the section of every command as it is now. */
export async function withHelp(text: string): Promise<string> {
  let written = text
  for (const name of Object.keys(commands)) {
    const section = await helpSection(name)
    written = written.replace(new RegExp(`<!-- help ${name} -->[\\s\\S]*?<!-- end -->`), () => section)
  }
  return written
}

if (import.meta.main) {
  const path = new URL("../docs/cli.md", import.meta.url)
  await writeFile(path, await withHelp(await readFile(path, "utf8")))
}
