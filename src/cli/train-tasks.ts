/**
 * @module The tasks of `espalier train`: its data files by option, or by `tasks:` in a configuration file.
 */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { replayOfSuite } from "../service/replay-data.ts"
import type { DataFile, TaskFiles } from "../service/task-data.ts"
import type { OpenRetention } from "./retention-suite.ts"
import { packageFolder } from "./shared-options.ts"
import type { TrainValues } from "./train-options.ts"

/** A task's name from its file's: `answer-card.train.jsonl` holds `answer-card`. */
const nameOf = (path: string): string =>
  basename(path)
    .replace(/\.[^.]*$/, "")
    .replace(/\.train$/, "")

/** Reads a data file. @throws {EspalierError} `not_found` */
export async function readData(path: string, param = "data"): Promise<DataFile> {
  if (!existsSync(path)) throw new EspalierError("not_found", `There is no data file ${path}`, { param })
  return { name: basename(path), bytes: new Uint8Array(await readFile(path)) }
}

/**
 * The tasks that options name: several by --task, else the one of --data, else the bundled example.
 * @throws {EspalierError} `not_found` for a file that isn't there, `invalid_request` for options that contradict.
 */
export async function tasksOf(values: TrainValues): Promise<TaskFiles[]> {
  const given = values.task ?? []
  if (given.length === 0) {
    const stray = (["task-heldout", "order", "mixture", "mix-temperature"] as const).find(
      (name) => values[name] !== undefined,
    )
    if (stray)
      throw new EspalierError("invalid_request", `--${stray} is for several tasks, and no --task is given`, {
        param: stray,
        hint: "Give each task's rows with --task name=file",
      })
    return [await onlyTask(values)]
  }
  const clash = (["data", "heldout"] as const).find((name) => values[name] !== undefined)
  if (clash)
    throw new EspalierError("invalid_request", `--${clash} and --task exclude each other`, {
      param: clash,
      hint: clash === "data" ? "Make it another task: --task name=file" : "Give it as --task-heldout name=file",
    })
  if (values["mix-temperature"] !== undefined && values.mixture !== "temperature")
    throw new EspalierError("invalid_request", "--mix-temperature is for --mixture temperature", {
      param: "mix-temperature",
    })
  if (values.order === "sequential" && values.mixture !== undefined)
    throw new EspalierError("invalid_request", "--mixture is for tasks in mixed order", { param: "mixture" })
  const apart = new Map((values["task-heldout"] ?? []).map((text) => namedFile(text, "task-heldout")))
  const tasks: TaskFiles[] = []
  for (const [name, path] of given.map((text) => namedFile(text, "task"))) {
    const heldout = apart.get(name)
    tasks.push({
      name,
      data: await readData(path, "task"),
      heldout: heldout === undefined ? null : await readData(heldout, "task-heldout"),
    })
    apart.delete(name)
  }
  const [unknown] = apart.keys()
  if (unknown !== undefined)
    throw new EspalierError("invalid_request", `--task-heldout names ${unknown}, which is no --task`, {
      param: "task-heldout",
      hint: `Tasks: ${tasks.map(({ name }) => name).join(", ")}`,
    })
  return tasks
}

async function onlyTask({ data: path, heldout }: TrainValues): Promise<TaskFiles> {
  const bundled = (part: string): string => join(packageFolder(), "examples", "data", `answer-card.${part}.jsonl`)
  const data = await readData(path ?? bundled("train"))
  const apart = heldout ?? (path === undefined ? bundled("heldout") : undefined)
  return { name: nameOf(data.name), data, heldout: apart === undefined ? null : await readData(apart, "heldout") }
}

/**
 * Rows to replay; null where none are asked for.
 * @throws {EspalierError} `not_found`, `invalid_request` where nothing says what the base was taught.
 */
export async function replayOf(values: TrainValues, retention: OpenRetention | null): Promise<DataFile | null> {
  const { replay: share, "replay-data": path } = values
  if (share === undefined) {
    if (path === undefined) return null
    throw new EspalierError(
      "invalid_request",
      "--replay-data needs --replay, the part of the rows that they are to be",
      {
        param: "replay",
      },
    )
  }
  if (path !== undefined) return readData(path, "replay-data")
  if (retention !== null && !retention.isForeign) return replayOfSuite(retention.suite, retention.set)
  throw new EspalierError("invalid_request", "--replay needs rows of what the base was taught, and none are at hand", {
    param: "replay-data",
    hint: "Give them with --replay-data file, or a suite of the base's own with --retention file",
  })
}

/** `name=file`, or a file whose own name is the task's. */
function namedFile(text: string, option: string): [string, string] {
  const at = text.indexOf("=")
  const [name, path] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [nameOf(text), text]
  if (path === "") throw new EspalierError("invalid_request", `Expected --${option} name=file but found ${text}`)
  return [name, path]
}

/**
 * `tasks:` of a configuration file as the options that it stands for: a list as of --task, or by name a file, or its
 * files as `data` and `heldout`.
 * @throws {EspalierError} `invalid_file` for a task that is neither.
 */
export function expandTasks(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { tasks, ...rest } = json
  if (tasks === undefined) return rest
  if (Array.isArray(tasks)) return { ...rest, task: tasks }
  if (typeof tasks !== "object" || tasks === null)
    throw new EspalierError("invalid_file", "tasks: Expected a list of name=file, or files by name", { param: "tasks" })
  const task: string[] = []
  const heldout: string[] = []
  for (const [name, files] of Object.entries(tasks as Record<string, unknown>)) {
    const { data, heldout: apart, ...more } = typeof files === "string" ? { data: files } : toRecord(files)
    if (typeof data !== "string" || !["string", "undefined"].includes(typeof apart) || Object.keys(more).length > 0)
      throw new EspalierError("invalid_file", `tasks.${name}: Expected a file, or data and heldout, each a file`, {
        param: `tasks.${name}`,
      })
    task.push(`${name}=${data}`)
    if (apart !== undefined) heldout.push(`${name}=${apart}`)
  }
  return { ...rest, task, ...(heldout.length > 0 && { "task-heldout": heldout }) }
}

const toRecord = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
