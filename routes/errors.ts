/**
 * @module Any error as OpenAI's error object. What is not meant for a caller (a stack, a cause, a path, our own fault's
 * details) stays here.
 */
import { type ErrorCode, EspalierError, isEspalierError } from "../src/core/errors.ts"
import type { ErrorBody } from "../src/service/wire.ts"

/** A status that only HTTP knows, with the error that belongs to it. */
export class HttpError extends EspalierError {
  readonly #status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: ErrorCode, message: string, details: HttpErrorDetails = {}) {
    super(code, message, details)
    this.#status = status
    this.headers = details.headers ?? {}
  }

  override get status(): number {
    return this.#status
  }
}

/** Extra facts about an HTTP error. */
export interface HttpErrorDetails {
  readonly hint?: string
  readonly param?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Seconds that OpenAI's clients heed; they ignore what is longer, and try again at their own pace. */
const [SHORTEST_WAIT, LONGEST_WAIT] = [1, 60]

/** An answer that tells of `error`. */
export function errorResponse(error: unknown): Response {
  const { status, headers } = headOf(error)
  return Response.json(errorBody(error), { status, headers })
}

/** The error object: what is wrong, with which field, and what to do. */
export function errorBody(error: unknown): ErrorBody {
  if (!isEspalierError(error) || error.code === "internal") {
    const message = "The server failed at this request: its log says why, under this x-request-id"
    return { error: { message, type: "server_error", param: null, code: "internal" } }
  }
  const { message, hint, param } = error
  return {
    error: {
      message: hint === undefined ? message : `${message}. ${hint}`,
      type: typeOf(error.status),
      param: param ?? null,
      code: codeOf(error),
    },
  }
}

function headOf(error: unknown): { status: number; headers: Record<string, string> } {
  if (!isEspalierError(error)) return { status: 500, headers: {} }
  const headers = error instanceof HttpError ? { ...error.headers } : {}
  // The official clients try again after any 409, and what is taken stays taken.
  if (error.code === "conflict") headers["x-should-retry"] = "false"
  if (error.code === "queue_full" || error.retryAfter !== undefined) {
    const wait = Math.ceil(error.retryAfter ?? SHORTEST_WAIT)
    headers["retry-after"] = String(Math.min(LONGEST_WAIT, Math.max(SHORTEST_WAIT, wait)))
  }
  return { status: error.status, headers }
}

/** OpenAI's names where it has some, ours elsewhere. */
function codeOf(error: EspalierError): string {
  if (error.status === 401) return "invalid_api_key"
  if (error.code === "not_found" && error.param === "model") return "model_not_found"
  return error.code
}

function typeOf(status: number): string {
  if (status === 401) return "authentication_error"
  if (status === 403) return "permission_error"
  if (status === 404) return "not_found_error"
  if (status === 429) return "rate_limit_error"
  return status < 500 ? "invalid_request_error" : "server_error"
}
