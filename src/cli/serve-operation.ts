/**
 * @module Options of `espalier serve` about who may call, how long an answer takes and what is written down.
 */
import { readFile } from "node:fs/promises"
import type { AppOptions } from "../../routes/app.ts"
import type { RequestEntry } from "../../routes/middleware/request-log.ts"
import { EspalierError, messageOf } from "../core/errors.ts"
import { joinKeyrings, type Keyring, readKeyring, singleKey } from "../service/keyring.ts"
import type { Io, OptionTable, OptionValues } from "./command.ts"

/** The options. */
export const operationOptions = {
  "api-keys": {
    type: "string",
    value: "file",
    description: "a JSON file of hashed keys with scopes and tenants",
  },
  "cors-origin": { type: "list", value: "origin", description: "a web page's origin that may call; * for any" },
  "request-timeout": { type: "number", description: "seconds that an answer may take", default: "no limit" },
  "drain-timeout": { type: "number", description: "seconds that answers in flight get when it ends", default: "30" },
  "shutdown-delay": {
    type: "number",
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

/** @throws {EspalierError} `not_found` or `invalid_file` for the file of keys; @throws {RangeError} for a time */
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
      requestTimeoutMs: timeout === undefined ? null : seconds("request-timeout", timeout, 0.001),
      ...logging(values.log ?? "off", io),
    },
    drainMs: seconds("drain-timeout", values["drain-timeout"] ?? 30, 0),
    delayMs: seconds("shutdown-delay", values["shutdown-delay"] ?? 2, 0),
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

/** Milliseconds of an option in seconds: a day at most. */
function seconds(name: string, value: number, least: number): number {
  if (!(value >= least && value <= 86_400))
    throw new RangeError(`Expected ${name} to be a number from ${least} to 86400 but found ${value}`)
  return Math.round(value * 1000)
}

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

/** `--prefix-cache` in bytes. @throws {RangeError} for what is no size */
export function prefixCacheSetting(mebibytes: number | undefined): { readonly prefixCacheBytes?: number } {
  if (mebibytes === undefined) return {}
  if (!(mebibytes >= 0 && mebibytes <= 2 ** 20))
    throw new RangeError(`Expected prefix-cache to be a number of MiB from 0 to ${2 ** 20} but found ${mebibytes}`)
  return { prefixCacheBytes: Math.floor(mebibytes * 2 ** 20) }
}

/** `--max-adapters`. @throws {RangeError} for what is no number of adapters */
export function maxAdaptersSetting(count: number | undefined): { readonly maxAdapters?: number } {
  if (count === undefined) return {}
  if (!Number.isInteger(count) || count < 1 || count > 100_000)
    throw new RangeError(`Expected max-adapters to be a whole number from 1 to 100000 but found ${count}`)
  return { maxAdapters: count }
}
