/**
 * @module `--config run.yaml|json`: the same options as on the command line, by the same names (with `-` or `_`), checked
 * by the same table. What the command line says goes before the file.
 */
import { readFile } from "node:fs/promises"
import * as v from "valibot"
import { EspalierError, messageOf } from "../core/errors.ts"
import { type Command, checkedValue, nearest, type OptionTable } from "./command.ts"

/**
 * Reads a configuration file.
 * @param expand turns fields that are no options into options
 * @throws {EspalierError} `invalid_file` naming the file, and the line or the field at fault.
 */
export async function readConfigFile(
  path: string,
  table: OptionTable,
  expand: NonNullable<Command["expandConfig"]> = (json) => ({ ...json }),
): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new EspalierError("not_found", `There is no configuration file ${path}`, { param: "config", cause })
  })
  const parsed = await parse(path, text)
  const json = isRecord(parsed) ? expand(parsed) : parsed
  const names = new Map(
    Object.keys(table).flatMap(
      (name) =>
        [
          [name, name],
          [name.replaceAll("-", "_"), name],
        ] as const,
    ),
  )
  const schema = v.strictObject(
    Object.fromEntries(
      [...names].map(([key, name]) => [
        key,
        v.optional(
          v.pipe(
            v.unknown(),
            v.rawTransform(({ dataset, addIssue, NEVER }) => {
              try {
                return checkedValue(key, table[name]!, dataset.value)
              } catch (error) {
                addIssue({ message: messageOf(error) })
                return NEVER
              }
            }),
          ),
        ),
      ]),
    ),
  )
  const result = v.safeParse(schema, json ?? {})
  if (!result.success) {
    const lines = result.issues.map((issue) => {
      const field = v.getDotPath(issue)
      if (issue.type === "strict_object" && field) {
        const close = nearest(field, [...names.keys()])
        return `${field}: unknown field${close ? `, did you mean ${close}?` : ""}`
      }
      return `${field ?? "file"}: ${issue.message}`
    })
    throw new EspalierError("invalid_file", `${path} is wrong:\n  ${lines.join("\n  ")}`, {
      param: v.getDotPath(result.issues[0]) ?? "config",
    })
  }
  return Object.fromEntries(Object.entries(result.output).map(([key, value]) => [names.get(key)!, value]))
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

async function parse(path: string, text: string): Promise<unknown> {
  try {
    const { parse: parseYaml } = await import("yaml")
    // JSON is YAML in flow style, and YAML's parser names the line of what is wrong.
    const value = parseYaml(text, { maxAliasCount: 20 }) as unknown
    return path.endsWith(".json") ? JSON.parse(text) : value
  } catch (cause) {
    throw new EspalierError("invalid_file", `${path} can't be read: ${messageOf(cause).split("\n\n")[0]}`, { cause })
  }
}
