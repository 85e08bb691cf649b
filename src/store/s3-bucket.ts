/**
 * @module A bucket behind S3's protocol (AWS, R2, MinIO, Ceph and others), with path-style addresses and signed requests.
 * What fails in passing is tried again: no connection, a body that ends early, 429 and 5xx.
 */
import { AwsClient } from "aws4fetch"
import { EspalierError, messageOf } from "../core/errors.ts"
import { sha256Hex } from "../core/hash.ts"
import type { Bucket, BucketEntry } from "./bucket-folder.ts"

/** Which bucket, and who asks. */
export interface S3Options {
  readonly bucket: string
  /** `https://host`, without the bucket. */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Tries after the first one. @default {4} */
  readonly retries?: number
  /** Milliseconds before the second try at most; twice as many before each further one. @default {200} */
  readonly retryMs?: number
  /** Milliseconds of one try. @default {60000} */
  readonly timeoutMs?: number
}

/** An answer that was read to its end. */
interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Something that may go well the next time. */
class Passing extends Error {}

/** Entities of XML that listings have. */
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

/** A bucket over the network. Errors are `unavailable`, or `invalid_request` where the bucket refuses. */
export function s3Bucket(options: S3Options): Bucket {
  const { bucket, endpoint, retries = 4, retryMs = 200, timeoutMs = 60_000 } = options
  const { accessKeyId, secretAccessKey, region, sessionToken } = options
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    region,
    service: "s3",
    retries: 0,
    ...(sessionToken !== undefined && { sessionToken }),
  })
  const root = `${endpoint.replace(/\/+$/, "")}/${encodeURIComponent(bucket)}`
  const addressOf = (key: string): string => `${root}/${key.split("/").map(encodeURIComponent).join("/")}`

  async function once(url: string, init: RequestInit): Promise<Answer> {
    const request = await client.sign(url, init)
    const response = await fetch(request, { signal: AbortSignal.timeout(timeoutMs) }).catch((cause: unknown) => {
      throw new Passing(messageOf(cause))
    })
    const bytes = await response.arrayBuffer().then(
      (buffer) => new Uint8Array(buffer),
      (cause: unknown) => {
        throw new Passing(messageOf(cause))
      },
    )
    const { status, headers } = response
    if (status === 429 || status >= 500) throw new Passing(`it answered ${status}`)
    const length = init.method === "HEAD" ? null : headers.get("content-length")
    if (length !== null && Number(length) !== bytes.length) {
      throw new Passing(`its answer ended after ${bytes.length} of ${length} bytes`)
    }
    return { status, headers, bytes }
  }

  async function ask(url: string, init: RequestInit): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      try {
        return await once(url, init)
      } catch (error) {
        if (!(error instanceof Passing)) throw error
        if (tries >= retries) {
          throw new EspalierError("unavailable", `The bucket can't be reached: ${error.message}`, {
            hint: "Try again in a moment",
            cause: error,
          })
        }
        // By chance, so that not all who were refused come back at once.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * retryMs * 2 ** tries))
      }
    }
  }

  /** Refuses what is neither fine nor one of `expected`. */
  function settled(answer: Answer, expected: readonly number[] = []): Answer {
    const { status, bytes } = answer
    if (status < 300 || expected.includes(status)) return answer
    const text = new TextDecoder().decode(bytes.subarray(0, 4096))
    const [, code = ""] = /<Code>([\w.]{1,64})<\/Code>/.exec(text) ?? []
    const isAccess = status === 401 || status === 403
    throw new EspalierError("invalid_request", `The bucket refused with ${status}${code === "" ? "" : ` (${code})`}`, {
      hint: isAccess
        ? "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL say who asks whom"
        : "Look at the bucket's name, region and endpoint",
    })
  }

  const etagOf = (headers: Headers): string => (headers.get("etag") ?? "").replace(/^(W\/)?"|"$/g, "")

  return {
    async head(key) {
      const { status, headers } = settled(await ask(addressOf(key), { method: "HEAD" }), [404])
      return status === 404 ? null : { key, size: Number(headers.get("content-length") ?? 0), etag: etagOf(headers) }
    },
    async get(key, options) {
      const range = options?.range
      const headers = range && { range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
      const answer = await ask(addressOf(key), { method: "GET", ...(headers && { headers }) })
      const { status, bytes } = settled(answer, [404])
      if (status === 404) return null
      // Who knows no ranges sends everything.
      const part = range && status === 200 ? bytes.slice(range.offset, range.offset + range.length) : bytes
      return { arrayBuffer: async () => part.buffer }
    },
    async put(key, value, { onlyIf } = {}) {
      const answer = await ask(addressOf(key), {
        method: "PUT",
        body: value as Uint8Array<ArrayBuffer>,
        headers: {
          "content-type": "application/octet-stream",
          // Signed, so that what arrives is what was sent.
          "x-amz-content-sha256": await sha256Hex(value),
          ...(onlyIf && { "if-none-match": onlyIf.etagDoesNotMatch }),
        },
      })
      // 409: another is putting the same right now, and one of both will win.
      const { status, headers } = settled(answer, onlyIf ? [409, 412] : [])
      return status < 300 ? { key, size: value.length, etag: etagOf(headers) } : null
    },
    async list({ prefix, cursor }) {
      const query = new URLSearchParams({ "list-type": "2", prefix })
      if (cursor !== undefined) query.set("continuation-token", cursor)
      const { bytes } = settled(await ask(`${root}?${query}`, { method: "GET" }))
      const xml = new TextDecoder().decode(bytes)
      const next = textIn(xml, "NextContinuationToken")
      return {
        objects: [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)].map(
          ([, part]): BucketEntry => ({
            key: textIn(part!, "Key") ?? "",
            size: Number(textIn(part!, "Size") ?? 0),
            etag: (textIn(part!, "ETag") ?? "").replaceAll('"', ""),
          }),
        ),
        truncated: next !== null,
        ...(next !== null && { cursor: next }),
      }
    },
  }
}

/** The text of the first element of a name, or null. */
function textIn(xml: string, name: string): string | null {
  const [, text] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? []
  if (text === undefined) return null
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (all, decimal?: string, hex?: string, word?: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return entities[word ?? ""] ?? all
  })
}
