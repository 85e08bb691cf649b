/**
 * @module `espalier pull`, and `--base` by a model's id.
 */
import { existsSync } from "node:fs"
import { EspalierError } from "../core/errors.ts"
import { type Pulled, type PullProgress, pullModel } from "../store/hub/pull.ts"
import { hubSettings, isHubId, parseHubId } from "../store/hub/settings.ts"
import { formatBytes } from "../train/progress.ts"
import { defineCommand, exitCodes, type Io } from "./command.ts"
import { printable } from "./io.ts"

export const pullCommand = defineCommand({
  name: "pull",
  summary: "Fetches a base from the Hugging Face hub into its cache: the files that a base is made of, each checked.",
  usage: "<owner/name>[@revision] [options]",
  options: {},
  examples: [
    "espalier pull HuggingFaceTB/SmolLM2-135M-Instruct",
    "espalier chat --base HuggingFaceTB/SmolLM2-135M-Instruct",
  ],
  async run(given, [text], io) {
    if (text === undefined)
      throw new EspalierError("invalid_request", "There is no model to pull", {
        hint: "Such as: espalier pull HuggingFaceTB/SmolLM2-135M-Instruct",
      })
    const pulled = await pull(text, io)
    const { json } = given as { readonly json?: boolean }
    if (json) io.out(`${JSON.stringify({ type: "pulled", ...pulled })}\n`)
    else io.out(`${printable(text)} (${pulled.commit.slice(0, 12)}) is in ${pulled.path}\n`)
    return exitCodes.ok
  },
})

/** The folder of a base that is named by its id; any other text, and what is a path here, stays as it is. */
export async function pulledBase(given: string, io: Io): Promise<string> {
  if (!isHubId(given) || existsSync(given)) return given
  return (await pull(given, io)).path
}

async function pull(text: string, io: Io): Promise<Pulled> {
  const settings = hubSettings(io.env)
  const pulled = await pullModel(parseHubId(text), settings, { onProgress: progressTo(io) })
  if (pulled.kept && !settings.offline) io.err("The hub can't be reached: what was fetched before is taken\n")
  return pulled
}

/** A line for each file; on a terminal it moves. */
function progressTo(io: Io): (progress: PullProgress) => void {
  let [shown, last] = ["", 0]
  return ({ file, done, size }) => {
    const ended = done === size
    const now = Date.now()
    if (!ended && (!io.isTerminal || now - last < 200)) return
    const line = `${printable(file)}  ${formatBytes(done)}${ended ? "" : ` of ${formatBytes(size)}`}`
    if (line === shown) return
    shown = line
    last = now
    io.err(io.isTerminal ? `\r${line.padEnd(60)}${ended ? "\n" : ""}` : `${line}\n`)
  }
}
