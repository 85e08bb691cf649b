#!/usr/bin/env bun
/**
 * @module The `espalier` command. Commands are imported when they are called, so that help answers at once.
 */
import { EspalierError } from "../core/errors.ts"
import { type Command, exitCodeOf, exitCodes, helpOf, type Io, nearest, parseOptions } from "./command.ts"
import { readConfigFile } from "./config-file.ts"
import { describeError, processIo, withTyped } from "./io.ts"

/** Every command, by name. */
export const commands: Readonly<Record<string, { readonly summary: string; load(): Promise<Command> }>> = {
  train: {
    summary: "train an adapter over a frozen base",
    load: async () => (await import("./train.ts")).trainCommand,
  },
  serve: {
    summary: "serve a base and its adapters over HTTP",
    load: async () => (await import("./serve.ts")).serveCommand,
  },
  generate: { summary: "answer one prompt", load: async () => (await import("./generate.ts")).generateCommand },
  chat: { summary: "talk to a base or an adapter", load: async () => (await import("./chat.ts")).chatCommand },
  eval: { summary: "score a base and adapters", load: async () => (await import("./eval.ts")).evalCommand },
  merge: { summary: "merge adapters into one", load: async () => (await import("./merge.ts")).mergeCommand },
  extract: {
    summary: "make a LoRA out of a fully fine-tuned base",
    load: async () => (await import("./extract.ts")).extractCommand,
  },
  pull: {
    summary: "fetch a base from the Hugging Face hub",
    load: async () => (await import("./pull.ts")).pullCommand,
  },
  quantize: {
    summary: "hold a base's weights in fewer bits, and say what it costs",
    load: async () => (await import("./quantize.ts")).quantizeCommand,
  },
  export: {
    summary: "write an adapter or base in another format",
    load: async () => (await import("./export.ts")).exportCommand,
  },
  import: {
    summary: "read an adapter that is in another format",
    load: async () => (await import("./import.ts")).importCommand,
  },
  publish: {
    summary: "put an adapter into a bucket of S3's kind",
    load: async () => (await import("./publish.ts")).publishCommand,
  },
  rag: {
    summary: "keep documents that answers may rest on",
    load: async () => (await import("./rag.ts")).ragCommand,
  },
  plan: { summary: "say what a run would take in memory", load: async () => (await import("./plan.ts")).planCommand },
  inspect: {
    summary: "say what an adapter or base folder holds",
    load: async () => (await import("./inspect.ts")).inspectCommand,
  },
}

const overview = (): string =>
  [
    "espalier <command> [options]",
    "",
    "Fine-tunes language models and serves them, in one process.",
    "",
    "Commands:",
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`),
    "",
    "espalier <command> --help shows a command's options.",
    "",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a bad input file, 4 interrupted with a checkpoint saved, 5 no backend,",
    "6 trained and saved, but held back from serving.",
    "",
  ].join("\n")

/** Runs one command line. @returns the exit code */
export async function main(args: readonly string[], io: Io = processIo()): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    io.out(overview())
    return name === undefined ? exitCodes.usage : exitCodes.ok
  }
  try {
    const found = Object.hasOwn(commands, name) ? commands[name]! : null
    if (!found) {
      const close = nearest(name, Object.keys(commands))
      throw new EspalierError("invalid_request", `There is no command "${name}"`, {
        hint: close ? `Did you mean ${close}?` : "See espalier --help",
      })
    }
    const command = await found.load()
    const { values, positionals } = parseOptions(command, rest)
    if ("help" in values && values["help"]) {
      io.out(`${helpOf(command)}\n`)
      return exitCodes.ok
    }
    const config = values["config"]
    const merged =
      typeof config === "string"
        ? { ...(await readConfigFile(config, command.options, command.expandConfig)), ...values }
        : values
    const base = (merged as { readonly base?: unknown }).base
    // A folder, or the id of a model on the hub: either has a slash, the embedded base has none.
    const isElsewhere = typeof base === "string" && base.includes("/")
    const based = isElsewhere ? { ...merged, base: await (await import("./pull.ts")).pulledBase(base, io) } : merged
    return await command.run(based as typeof values, positionals, io)
  } catch (error) {
    io.err(withTyped(describeError(error), Object.keys(commands), io.env))
    return exitCodeOf(error)
  }
}

if (import.meta.main) {
  // Where nobody reads any more, as after `| head`, a command ends as others do.
  process.stdout.on("error", (error: Error & { readonly code?: string }) => {
    if (error.code !== "EPIPE") throw error
    process.exit(exitCodes.ok)
  })
  process.exitCode = await main(process.argv.slice(2))
}
