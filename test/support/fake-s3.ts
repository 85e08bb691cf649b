/**
 * @module A server that speaks S3 with path-style addresses over buckets in memory: it takes signed requests only, knows
 * `If-None-Match: *`, ranges and listings in pages, and fails as it is told to.
 */
import { createHash } from "node:crypto"
import { serveBun } from "../../src/entry/http-bun.ts"

/** How the next requests fail: with a status, with a body that ends early, or with other bytes. */
export type Failure = number | "truncated" | "garbled"

/** A running server. */
export interface FakeS3 {
  readonly endpoint: string
  /** Objects by `bucket/key`. */
  readonly objects: Map<string, Uint8Array>
  /** Requests as `PUT bucket/key`, in order. */
  readonly asked: string[]
  /** Taken by one request each. */
  readonly failures: Failure[]
  close(): Promise<unknown>
}

/** The key that requests are signed with. */
export const fakeS3Key = "AKIDEXAMPLE"

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex")
const refusal = (status: number, code: string): Response =>
  new Response(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, { status })
const signature = new RegExp(
  `^AWS4-HMAC-SHA256 Credential=${fakeS3Key}/\\d{8}/test-1/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$`,
)
const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** @param pageSize keys of a listing's page */
export async function startFakeS3(pageSize = 2): Promise<FakeS3> {
  const objects = new Map<string, Uint8Array>()
  const asked: string[] = []
  const failures: Failure[] = []

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const path = decodeURIComponent(url.pathname.slice(1))
    asked.push(`${request.method} ${path}`)
    const failure = failures.shift()
    if (typeof failure === "number") return refusal(failure, "SlowDown")
    const [, signed] = signature.exec(request.headers.get("authorization") ?? "") ?? []
    if (!signed?.split(";").includes("host")) return refusal(403, "SignatureDoesNotMatch")
    if (!request.headers.has("x-amz-date")) return refusal(403, "AccessDenied")
    if (request.method === "PUT") return put(request, path)
    if (!path.includes("/")) return list(url, path)
    const object = objects.get(path)
    if (object === undefined) return refusal(404, "NoSuchKey")
    const headers = { etag: `"${md5(object)}"`, "content-length": `${object.length}` }
    if (request.method === "HEAD") return new Response(null, { headers })
    if (failure === "truncated") {
      // A length that the body doesn't reach: the connection ends before.
      return new Response(object.slice(0, object.length - 1), { headers: { "x-truncated": "1" } })
    }
    if (failure === "garbled")
      return new Response(
        object.map((byte) => byte ^ 1),
        { headers },
      )
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? []
    if (from === undefined) return new Response(object.slice(), { headers })
    const part = object.slice(Number(from), Number(to) + 1)
    return new Response(part, { status: 206, headers: { etag: headers.etag } })
  }

  async function put(request: Request, path: string): Promise<Response> {
    const bytes = await request.bytes()
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    if (request.headers.get("x-amz-content-sha256") !== sha256) return refusal(400, "XAmzContentSHA256Mismatch")
    if (request.headers.get("if-none-match") === "*" && objects.has(path)) return refusal(412, "PreconditionFailed")
    objects.set(path, bytes)
    return new Response(null, { headers: { etag: `"${md5(bytes)}"` } })
  }

  function list(url: URL, bucket: string): Response {
    const prefix = `${bucket}/${url.searchParams.get("prefix") ?? ""}`
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
    const from = Number(url.searchParams.get("continuation-token") ?? 0)
    const contents = keys.slice(from, from + pageSize).map((key) => {
      const object = objects.get(key)!
      const name = escaped(key.slice(bucket.length + 1))
      return `<Contents><Key>${name}</Key><Size>${object.length}</Size><ETag>&quot;${md5(object)}&quot;</ETag></Contents>`
    })
    const next =
      from + pageSize < keys.length ? `<NextContinuationToken>${from + pageSize}</NextContinuationToken>` : ""
    return new Response(`<?xml version="1.0"?><ListBucketResult>${contents.join("")}${next}</ListBucketResult>`)
  }

  const server = await serveBun(answer, "127.0.0.1", 0)
  return {
    endpoint: `http://127.0.0.1:${server.port}`,
    objects,
    asked,
    failures,
    close: async () => server.kill(),
  }
}
