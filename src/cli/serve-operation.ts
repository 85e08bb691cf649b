/**
 * @module Options of `espalier serve` about who may call, how long an answer takes and what is written down.
 */
import { readFile } from "node:fs/promises"
import type { AppOptions } from "../../routes/app.ts"
import type { RequestEntry } from "../../routes/middleware/request-log.ts"
import { EspalierError, messageOf } from "../core/errors.ts"
import { joinKeyrings, type Keyring, readKeyring, singleKey } from "../service/keyring.ts"
import type { Io, OptionTable, OptionValues } from "./command.ts"
import { from } from "./number-range.ts"

/** In seconds. */
const A_DAY = 86_400

/** The options. */
export const operationOptions = {
  "api-keys": {
    type: "string",
    value: "file",
    description: "a JSON file of hashed keys with scopes and tenants",
  },
  "cors-origin": { type: "list", value: "origin", description: "a web page's origin that may call; * for any" },
  "request-timeout": {
    type: "number",
    range: from(0.001, A_DAY),
    description: "seconds that an answer may take",
    default: "no limit",
  },
  "drain-timeout": {
    type: "number",
    range: from(0, A_DAY),
    description: "seconds that answers in flight get when it ends",
    default: "30",
  },
  "shutdown-delay": {
    type: "number",
    range: from(0, A_DAY),
    description: "seconds that it answers on after SIGTERM, /health/ready at 503, before it stops listening",
    default: "2",
  },
  log: { type: "string", choices: ["json", "text", "off"], description: "requests on stderr", default: "off" },
} as const satisfies OptionTable

/** What they come to. */
export interface OperationSettings {
  readonly app: AppOptions
  /** Milliseconds that answers in flight get at the end. */
  readonly drainMs: number
  /** Milliseconds that it answers on after SIGTERM, no longer ready. */
  readonly delayMs: number
}

/** @throws {EspalierError} `not_found` or `invalid_file` for the file of keys */
export async function operationSettings(
  values: OptionValues<typeof operationOptions>,
  apiKey: string | undefined,
  io: Io,
): Promise<OperationSettings> {
  const keyrings: Keyring[] = apiKey === undefined ? [] : [singleKey(apiKey)]
  if (values["api-keys"] !== undefined) keyrings.push(await readKeys(values["api-keys"]))
  const timeout = values["request-timeout"]
  return {
    app: {
      ...(keyrings.length > 0 && { keyring: joinKeyrings(keyrings) }),
      corsOrigins: (values["cors-origin"] ?? []).map(checkedOrigin),
      requestTimeoutMs: timeout === undefined ? null : milliseconds(timeout),
      ...logging(values.log ?? "off", io),
    },
    drainMs: milliseconds(values["drain-timeout"] ?? 30),
    delayMs: milliseconds(values["shutdown-delay"] ?? 2),
  }
}

async function readKeys(path: string): Promise<Keyring> {
  const wrong = (why: string, cause: unknown): EspalierError =>
    new EspalierError("invalid_file", `The file of API keys ${path}: ${why}`, { cause, param: "api-keys" })
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (cause) {
    throw new EspalierError("not_found", `Could not read the file of API keys ${path}`, { cause, param: "api-keys" })
  }
  try {
    return readKeyring(JSON.parse(text))
  } catch (cause) {
    throw wrong(messageOf(cause), cause)
  }
}

/** An origin as browsers write it: another spelling would never be met. @throws {EspalierError} `invalid_request` */
function checkedOrigin(text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : null
  // Those of browsers' extensions and of apps are none to a URL.
  if (text === "*" || text === origin || /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[\w.-]+$/.test(text)) return text
  const hint = origin === null || origin === "null" ? "Write it as https://app.example" : `Write ${origin}`
  throw new EspalierError("invalid_request", `Expected --cors-origin to be * or an origin but found "${text}"`, {
    hint,
    param: "cors-origin",
  })
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000)

function logging(how: string, io: Io): Pick<AppOptions, "onRequest" | "onError"> {
  if (how === "off") return {}
  const now = (): string => new Date().toISOString()
  if (how === "json") {
    const write = (entry: object): void => io.err(`${JSON.stringify({ time: now(), ...entry })}\n`)
    return {
      onRequest: (entry) => write({ level: entry.status < 500 ? "info" : "error", event: "request", ...entry }),
      onError: (error, request_id) =>
        write({
          level: "error",
          event: "failure",
          request_id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
    }
  }
  const line = ({ request_id, method, path, status, ms, key }: RequestEntry): string =>
    [now(), status, `${ms}ms`, method, path, key ?? "-", request_id].join(" ")
  return { onRequest: (entry) => io.err(`${line(entry)}\n`) }
}
