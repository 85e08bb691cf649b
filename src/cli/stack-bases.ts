/**
 * @module `espalier merge --stack`: a base made of layers of others.
 */
import { EspalierError } from "../core/errors.ts"
import { parseLayers } from "../merge/stack.ts"
import { openBase } from "../presets/open-base.ts"
import { type BaseInFolder, saveStacked } from "../service/save-merged-base.ts"
import { exitCodes, type Io } from "./command.ts"
import { printable, typedAs } from "./io.ts"
import type { MergeValues } from "./merge.ts"
import { baseFolder } from "./shared-options.ts"

/** Stacks `folder:layers` after `folder:layers`; a folder alone is all of its layers. @returns the exit code */
export async function stackBases(
  out: string,
  stack: readonly string[],
  positionals: readonly string[],
  { json }: MergeValues,
  io: Io,
): Promise<number> {
  if (positionals.length > 0)
    throw new EspalierError(
      "invalid_request",
      `Expected bases only but found adapter ${JSON.stringify(positionals[0])}`,
      {
        hint: "Stack layers first; an adapter belongs to the base that it was trained on",
        param: "stack",
      },
    )
  const opened = new Map<string, BaseInFolder>()
  const parts = []
  for (const text of stack) {
    const [, folder, layers] = /^(.*?)(?::([\d,\- ]+))?$/.exec(text) as unknown as [string, string, string | undefined]
    const path = baseFolder(folder)
    const found = opened.get(path) ?? { ...(await openBase(path)), path }
    opened.set(path, found)
    parts.push({
      ...found,
      layers: layers === undefined ? [...Array(found.base.config.layers).keys()] : parseLayers(layers),
    })
  }
  const count = await saveStacked(out, parts)
  const made = parts.map(({ base, layers }) => ({ base: base.name, layers }))
  if (json) io.out(`${JSON.stringify({ type: "stacked", out, layers: count, stack: made })}\n`)
  else {
    const lines = made.map(({ base, layers }) => `  ${printable(base)}: ${layers.join(" ")}`)
    io.out(
      `Stacked ${count} layers:\n${lines.join("\n")}\n\nSaved to ${out}\n\nTalk to it: ${typedAs("chat", io.env)} --base ${out}\n`,
    )
  }
  return exitCodes.ok
}
