/**
 * @module Adapters that are kept by their content, each under an address: `file:///folder/name` on this machine's disk,
 * `s3://bucket/prefix/name` in a bucket, for which the usual AWS_* variables say who asks, and whom.
 */
import { EspalierError } from "../core/errors.ts"
import type { Bucket } from "../store/bucket-folder.ts"
import type { Folder } from "../store/folder.ts"
import { fsFolder } from "../store/folder.ts"
import { fsBucket } from "../store/fs-bucket.ts"
import { publishedFolder, publishFolder } from "../store/published-folder.ts"
import { s3Bucket } from "../store/s3-bucket.ts"

/** Variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>

/** Where an address leads. */
export interface AdapterPlace {
  readonly bucket: Bucket
  /** What the bucket's keys begin with: empty, or it ends in a slash. */
  readonly prefix: string
  readonly name: string
}

/** Whether a path is an address in a store. */
export const isAddress = (path: string): boolean => /^(s3|file):/.test(path)

/** A published adapter. @throws {EspalierError} `not_found`, `invalid_file`, `unavailable`, `invalid_request` */
export async function openStored(address: string, env: Environment): Promise<Folder> {
  const { bucket, prefix, name } = locate(address, env)
  return publishedFolder(bucket, prefix, name)
}

/** Publishes a folder on disk. @returns how many of its files were not there yet, and how many it has */
export async function publishTo(
  path: string,
  address: string,
  env: Environment,
): Promise<{ readonly uploaded: number; readonly files: number }> {
  const { bucket, prefix, name } = locate(address, env)
  const folder = fsFolder(path)
  const files = new Map<string, Uint8Array>()
  for (const file of await folder.list()) {
    // Hidden files are the system's, folders (checkpoints) are the run's.
    if (/^\w[\w.+-]*\.(json|safetensors|md|txt)$/.test(file)) files.set(file, await folder.read(file))
  }
  return { ...(await publishFolder(bucket, prefix, name, files)), files: files.size }
}

/** What an address stands for. @throws {EspalierError} `invalid_request` */
export const locate = (address: string, env: Environment): AdapterPlace =>
  address.startsWith("file:") ? locateFile(address) : locateS3(address, env)

function locateFile(url: string): AdapterPlace {
  const [, folder, name] = /^file:\/\/(\/(?:[^/?#]+\/)*)([\w][\w.+-]*)\/?$/.exec(url) ?? []
  const root = folder === undefined ? null : pathOf(folder)
  if (root === null || name === undefined) throw noAddress("file:///folder/name", url)
  return { bucket: fsBucket(root), prefix: "", name }
}

/** The folder that a URL's path names, which on Windows begins with a drive; null for one that leads elsewhere or is none. */
function pathOf(folder: string): string | null {
  try {
    const path = decodeURIComponent(folder)
    const isPlain = path.split("/").length === folder.split("/").length && !/\0|\\|(^|\/)\.\.?\//.test(path)
    return isPlain ? path.replace(/^\/([A-Za-z]:\/)/, "$1") : null
  } catch {
    // A % that encodes nothing.
    return null
  }
}

const noAddress = (form: string, found: string): EspalierError =>
  new EspalierError("invalid_request", `Expected ${form} but found ${JSON.stringify(found.slice(0, 200))}`, {
    param: "path",
  })

function locateS3(url: string, env: Environment): AdapterPlace {
  const [, bucket, folders = "", name] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/((?:[\w.+=-]+\/)*)([\w][\w.+-]*)\/?$/.exec(url) ?? []
  if (bucket === undefined || name === undefined || url.includes("..")) {
    throw noAddress("s3://bucket/prefix/name", url)
  }
  const accessKeyId = env["AWS_ACCESS_KEY_ID"]
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"]
  if (!accessKeyId || !secretAccessKey) {
    throw new EspalierError("invalid_request", "An s3:// address needs credentials", {
      hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_REGION and AWS_ENDPOINT_URL where they are not AWS's own",
    })
  }
  const region = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || "us-east-1"
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || `https://s3.${region}.amazonaws.com`
  const sessionToken = env["AWS_SESSION_TOKEN"]
  return {
    bucket: s3Bucket({
      bucket,
      endpoint,
      region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken && { sessionToken }),
    }),
    prefix: folders,
    name,
  }
}
