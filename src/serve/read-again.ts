/**
 * @module An adapter from where it was loaded, once more: the same one, or an error that says what has become of it and names no
 * place of the server.
 */
import { EspalierError, isEspalierError, rephrased } from "../core/errors.ts"

/**
 * What `read` gives, held against the hash that it had.
 * @throws {EspalierError} `conflict` where it has changed, is gone or can't be read any more; `unavailable` where it may be read later
 */
export async function readAgain<T extends { readonly hash: string }>(
  { name, hash }: { readonly name: string; readonly hash: string },
  read: () => Promise<T>,
): Promise<T> {
  let found: T
  try {
    found = await read()
  } catch (error) {
    throw isEspalierError(error) ? refusal(name, error) : error
  }
  if (found.hash === hash) return found
  throw conflict(`Adapter "${name}" has changed since it was loaded`)
}

function refusal(name: string, cause: EspalierError): EspalierError {
  switch (cause.code) {
    case "internal":
      return cause
    case "unavailable":
    case "queue_full":
      return rephrased(cause, {
        message: `Adapter "${name}" can't be read from where it was loaded at the moment`,
        hint: "Try again in a moment",
        param: "model",
      })
    case "not_found":
      return conflict(`Adapter "${name}" is gone from where it was loaded`, cause)
    default:
      return conflict(`Adapter "${name}" can't be read any more from where it was loaded`, cause)
  }
}

const conflict = (message: string, cause?: EspalierError): EspalierError =>
  new EspalierError("conflict", message, { hint: "Load it again, with replace", param: "model", cause })
