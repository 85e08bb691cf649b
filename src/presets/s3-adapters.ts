/**
 * @module `s3://bucket/prefix/name`: an adapter in a bucket. Who asks, and whom, the usual AWS_* variables say.
 */
import { EspalierError } from "../core/errors.ts"
import type { Bucket } from "../store/bucket-folder.ts"
import type { Folder } from "../store/folder.ts"
import { fsFolder } from "../store/folder.ts"
import { publishedFolder, publishFolder } from "../store/published-folder.ts"
import { s3Bucket } from "../store/s3-bucket.ts"

/** Variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>

/** Whether a path is an address in a bucket. */
export const isS3 = (path: string): boolean => path.startsWith("s3://")

/** A published adapter. @throws {EspalierError} `not_found`, `invalid_file`, `unavailable`, `invalid_request` */
export function openS3Folder(url: string, env: Environment): Promise<Folder> {
  const { bucket, prefix, name } = locate(url, env)
  return publishedFolder(bucket, prefix, name)
}

/** Publishes a folder on disk. @returns how many of its files were not there yet, and how many it has */
export async function publishToS3(
  path: string,
  url: string,
  env: Environment,
): Promise<{ readonly uploaded: number; readonly files: number }> {
  const { bucket, prefix, name } = locate(url, env)
  const folder = fsFolder(path)
  const files = new Map<string, Uint8Array>()
  for (const file of await folder.list()) {
    // Hidden files are the system's, folders (checkpoints) are the run's.
    if (/^\w[\w.+-]*\.(json|safetensors|md|txt)$/.test(file)) files.set(file, await folder.read(file))
  }
  return { ...(await publishFolder(bucket, prefix, name, files)), files: files.size }
}

/** The bucket, what its keys begin with, and the adapter's name. @throws {EspalierError} `invalid_request` */
export function locate(
  url: string,
  env: Environment,
): { readonly bucket: Bucket; readonly prefix: string; readonly name: string } {
  const [, bucket, folders = "", name] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/((?:[\w.+=-]+\/)*)([\w][\w.+-]*)\/?$/.exec(url) ?? []
  if (bucket === undefined || name === undefined || url.includes("..")) {
    throw new EspalierError(
      "invalid_request",
      `Expected s3://bucket/prefix/name but found ${JSON.stringify(url.slice(0, 200))}`,
      {
        param: "path",
      },
    )
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
