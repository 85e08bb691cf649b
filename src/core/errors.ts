/**
 * @module The errors a caller may want to catch. Everything else is a built-in error: `TypeError` for a wrong shape,
 * `RangeError` for a value outside its range, `SyntaxError` for text that can't be parsed.
 *
 * A message says what was expected and what was found, starts upper case and has no full stop; `hint` says what to do.
 */

/** What went wrong, for machines. Each code has one HTTP status, in {@link statusOf}. */
export type ErrorCode =
  | "invalid_request" // a value from outside (request, flag, config field) is wrong
  | "invalid_file" // a file is garbled, truncated or holds something unexpected
  | "adapter_mismatch" // an adapter does not fit the base it is loaded on
  | "not_found" // no such model, adapter, file, route
  | "conflict" // the name is taken, or the state does not allow it
  | "context_length_exceeded" // prompt and answer do not fit the model's context: OpenAI's name, which clients look for
  | "too_large" // a body or a file is over its limit
  | "queue_full" // too many requests: try again later
  | "storage_full" // the disk has no room for what was to be kept
  | "unsupported" // an architecture, method, backend or option this version does not have
  | "unavailable" // a backend or a library is missing on this machine
  | "aborted" // the caller or a signal stopped the work
  | "internal" // our own fault

const statuses: Record<ErrorCode, number> = {
  invalid_request: 400,
  invalid_file: 400,
  adapter_mismatch: 400,
  not_found: 404,
  conflict: 409,
  context_length_exceeded: 400,
  too_large: 413,
  queue_full: 429,
  storage_full: 507,
  unsupported: 400,
  unavailable: 503,
  aborted: 499,
  internal: 500,
}

/** The HTTP status that belongs to an error code. */
export const statusOf = (code: ErrorCode): number => statuses[code]

/** Extra facts about an error. */
export interface ErrorDetails {
  /** What the reader should do about it, as a sentence without a full stop. */
  readonly hint?: string
  /** The request field, flag or config field at fault, such as `temperature` or `method.rank`. */
  readonly param?: string
  /** Seconds after which trying again may succeed. */
  readonly retryAfter?: number
  /** The error underneath. */
  readonly cause?: unknown
}

/** An error with a code that callers, routes and the command line act on. */
export class EspalierError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly param: string | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = "EspalierError"
    this.code = code
    this.hint = details.hint
    this.param = details.param
    this.retryAfter = details.retryAfter
  }

  /** The HTTP status of this error. */
  get status(): number {
    return statusOf(this.code)
  }
}

/** Whether `error` is an {@link EspalierError}, optionally of one code. */
export function isEspalierError(error: unknown, code?: ErrorCode): error is EspalierError {
  return error instanceof EspalierError && (code === undefined || error.code === code)
}

/** The same error in other words, with itself as the cause; what is left out stays. */
export function rephrased(
  error: EspalierError,
  {
    message = error.message,
    hint = error.hint,
    param = error.param,
  }: Partial<Pick<EspalierError, "message" | "hint" | "param">>,
): EspalierError {
  const { code, retryAfter } = error
  return new EspalierError(code, message, {
    ...(hint !== undefined && { hint }),
    ...(param !== undefined && { param }),
    ...(retryAfter !== undefined && { retryAfter }),
    cause: error,
  })
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
